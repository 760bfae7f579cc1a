# The end of a polecat on another machine: its worktree is taken away. What is in it and nowhere else is kept before, under
# refs/gt/recovery, and pushed if that goes. {{parts}} is remote-parts.sh.
gt_instance={{instance}}
gt_town={{town}}
gt_rig={{rig}}
gt_name={{name}}
gt_home={{home}}
gt_branch={{branch}}
gt_at_origin={{recovery_at_origin}}
gt_notes=$gt_town/.gt-start
gt_making=$gt_notes/$gt_rig-$gt_name.making
gt_made=
gt_own=
gt_clone=$gt_town/$gt_rig/mayor/rig
{{parts}}

echo "gt: ending $gt_instance"
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
if [ -e "$gt_home/.git" ]; then
  [ ! -d "$gt_clone/.git" ] || gt_lock "$gt_clone/.git/gt-worktrees.lock"
  gt_dir=$(git -C "$gt_home" rev-parse --absolute-git-dir 2>/dev/null) || gt_fail "$gt_home is no worktree of $gt_clone (any more); when nothing in it is wanted: rm -rf '$gt_home'"
  gt_had=$(cat "$gt_dir/gt-instance" 2>/dev/null)
  # Another instance of the same name is none of this one's business.
  if [ "${gt_had:-$gt_instance}" = "$gt_instance" ]; then
    gt_take_away "refs/gt/recovery/$gt_name/$gt_instance"
  fi
  gt_unlock
fi
# The town takes from origin what this names and nothing else: others can push to origin too.
[ ! -e "$gt_clone/.git" ] || git -C "$gt_clone" for-each-ref --format='gt: commit %(objectname)' "refs/gt/recovery/$gt_name/$gt_instance*" "refs/gt/recovery/$gt_name/$gt_instance*/**"
rm -f "$gt_notes/$gt_instance".* "$gt_making"
rmdir "$gt_notes" 2>/dev/null
echo "gt: ended $gt_instance"
