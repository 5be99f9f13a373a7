# SPDX-License-Identifier: GPL-2.0
# determinants.jq: that part of the testbed's facts which determines what is measured. The state of
# the source tree is not in it: the modules' srcversions and the scripts' text stand for it.
del(.commit, .commit_dirty)
