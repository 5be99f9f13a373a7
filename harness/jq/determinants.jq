# SPDX-License-Identifier: GPL-2.0
# determinants.jq: that part of the testbed's facts which determines what is measured. The state of
# the source tree is not in it (the modules' srcversions and the scripts' text stand for it), nor where on this host it lies.
del(.commit, .commit_dirty, .configs[]?.sha256)
| (.configs[]?.text) |= gsub("(?<key>kernel|ramdisk) = \"[^\"]*/"; "\(.key) = \"")
