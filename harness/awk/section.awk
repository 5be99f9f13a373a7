# SPDX-License-Identifier: GPL-2.0
#
# section.awk: print the part of the storage watcher's stream that belongs to the cell `id`: its
# snapshots and what follows until "@ done ID". Exit status 3 if that line has not come yet.

/^@ (prep|begin|end) / { mine = ($3 == id) }
mine { print }
/^@ done / && $3 == id { found = 1; exit }
END { exit found ? 0 : 3 }
