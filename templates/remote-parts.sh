# What the start, the end and the hand-in on another machine share. For any POSIX sh; git is the only program beyond that.
# Every value in double braces is put in as one quoted word. Comments are left out of what is sent.

# For how many tries somebody waits for the lock of another, where there is no flock: seconds.
gt_patience=600

gt_git() {
  GIT_TERMINAL_PROMPT=0 git -c maintenance.auto=false -c gc.auto=0 -c clone.defaultRemoteName=origin "$@"
}

# Takes away what this start made, leaves the reason in a file and on the screen, between two lines that whoever started this
# looks for, and waits until it was read.
gt_fail() {
  gt_unlock
  if [ -n "$gt_made" ]; then
    gt_made=
    gt_lock "$gt_clone/.git/gt-worktrees.lock"
    gt_drop
    rm -f "$gt_making"
    gt_unlock
  fi
  mkdir -p "$gt_notes" 2>/dev/null && printf '%s\n' "$1" >"$gt_notes/$gt_instance.failed" 2>/dev/null
  printf '\n%s\n%s\n%s\n' "gt: start failed $gt_instance" "$1" "gt: end of reason"
  sleep 60
  exit 1
}

# WHAT COMMAND…: what the command said at its end becomes the reason when it fails. The lock is not handed on to it.
gt_try() {
  gt_what=$1
  shift
  gt_said=$("$@" 2>&1 </dev/null 9>&-) || gt_fail "$gt_what: $(printf '%s\n' "$gt_said" | tail -n 5)"
}

# FILE: one start or end at a time. flock lets go by itself when this is killed; without it a link says who has the lock.
gt_lock() {
  gt_lock_file=$1
  (: >>"$gt_lock_file") 2>/dev/null || gt_fail "cannot write $gt_lock_file"
  if command -v flock >/dev/null 2>&1; then
    exec 9>>"$gt_lock_file"
    flock -n 9 || { echo "gt: waiting for another start" && flock 9; } || gt_fail "cannot lock $gt_lock_file"
    return
  fi
  gt_here=$(uname -n)
  gt_waited=0
  until ln -s "$$@$gt_here" "$gt_lock_file.held" 2>/dev/null; do
    gt_owner=$(gt_lock_owner)
    if [ "${gt_owner#*@}" = "$gt_here" ] && ! kill -0 "${gt_owner%%@*}" 2>/dev/null; then
      # Its owner is dead. One at a time takes it away, and looks again before.
      if mkdir "$gt_lock_file.breaking" 2>/dev/null; then
        [ "$(gt_lock_owner)" = "$gt_owner" ] && rm -f "$gt_lock_file.held"
        rmdir "$gt_lock_file.breaking"
        continue
      fi
    fi
    [ "$gt_waited" = 0 ] && echo "gt: waiting for another start"
    [ "$gt_waited" -lt "$gt_patience" ] || gt_fail "$gt_lock_file.held is held by ${gt_owner:-nobody}; when nothing starts there: rm -rf '$gt_lock_file.held' '$gt_lock_file.breaking'"
    gt_waited=$((gt_waited + 1))
    sleep 1
  done
  trap gt_unlock EXIT
  trap 'exit 1' HUP INT TERM
  gt_held=$gt_lock_file.held
}

gt_lock_owner() {
  gt_line=$(ls -ld "$gt_lock_file.held" 2>/dev/null)
  printf '%s' "${gt_line##* -> }"
}

# Shows the town the secret by which completion records of this session prove themselves: made here, kept where only this user
# reads it, and known there by the screen alone. A record that has none waits until a person adopts it.
gt_show_proof() {
  gt_proof=$gt_notes/$gt_instance.proof
  if [ ! -s "$gt_proof" ] && [ -c /dev/urandom ] && command -v git >/dev/null 2>&1; then
    gt_mask=$(umask)
    umask 077
    head -c 32 /dev/urandom | git hash-object --stdin >"$gt_proof"
    umask "$gt_mask"
  fi
  [ ! -s "$gt_proof" ] || { printf '%s' "gt: proof $gt_instance " && cat "$gt_proof"; }
}

gt_unlock() {
  exec 9>&-
  [ -z "${gt_held-}" ] || rm -f "$gt_held"
  gt_held=
}

# DIR: commits what is not committed there on top of $gt_tip, and sets $gt_tip to that commit.
gt_snapshot() {
  gt_index=$(git -C "$1" rev-parse --absolute-git-dir)/gt-index
  rm -f "$gt_index"
  GIT_INDEX_FILE=$gt_index
  export GIT_INDEX_FILE
  [ -z "$gt_tip" ] || gt_try "cannot keep what is in $1" git -C "$1" read-tree "$gt_tip"
  gt_try "cannot keep what is in $1" git -C "$1" add -A
  gt_tree=$(git -C "$1" write-tree) || gt_fail "cannot keep what is in $1"
  unset GIT_INDEX_FILE
  gt_tip=$(git -C "$1" -c user.name=gt -c user.email=gastown@localhost commit-tree "$gt_tree" ${gt_tip:+-p "$gt_tip"} -m "Not committed in $1") || gt_fail "cannot keep what is in $1"
}

# REF: keeps the commits and uncommitted files of the repositories inside $gt_home, submodules too, the innermost first, that no
# origin of theirs has: under refs of $gt_home that begin with REF. Their HEAD is set to what was kept.
gt_keep_inner() {
  gt_count=0
  gt_inner=$(find "$gt_home" -name .git | awk '{ print length($0) " " $0 }' | sort -rn | cut -d' ' -f2-)
  while IFS= read -r gt_line; do
    gt_in=${gt_line%/.git}
    # A folder of that name may be no repository.
    gt_up=$(git -C "$gt_in" rev-parse --show-cdup 2>/dev/null) || continue
    if [ -z "$gt_in" ] || [ "$gt_in" = "$gt_home" ] || [ -n "$gt_up" ]; then
      continue
    fi
    gt_dirty=$(git -C "$gt_in" status --porcelain) || gt_fail "cannot tell what is in $gt_in"
    gt_tip=$(git -C "$gt_in" rev-parse -q --verify HEAD)
    if [ -n "$gt_dirty" ]; then
      gt_snapshot "$gt_in"
      gt_try "cannot keep what is in $gt_in" git -C "$gt_in" update-ref HEAD "$gt_tip"
    fi
    [ -n "$gt_tip" ] || continue
    gt_only=$(git -C "$gt_in" rev-list -n 1 HEAD --all --not --remotes) || gt_fail "cannot tell what is in $gt_in"
    [ -n "$gt_only" ] || continue
    gt_count=$((gt_count + 1))
    gt_try "cannot keep what is in $gt_in" gt_git -C "$gt_home" fetch -q --no-tags --no-recurse-submodules "$gt_in" "+HEAD:$1-inner-$gt_count" "+refs/heads/*:$1-inner-$gt_count-heads/*"
    gt_refs="$gt_refs $1-inner-$gt_count $(git -C "$gt_home" for-each-ref --format='%(refname)' "$1-inner-$gt_count-heads")"
    if git -C "$gt_in" rev-parse -q --verify refs/stash >/dev/null; then
      gt_try "cannot keep what is in $gt_in" gt_git -C "$gt_home" fetch -q --no-tags "$gt_in" "+refs/stash:$1-inner-$gt_count-stash"
      gt_refs="$gt_refs $1-inner-$gt_count-stash"
    fi
  done <<END
$gt_inner
END
}

# FILE: fails while something that an agent started holds this lock. What was just ended gets three seconds. Without flock no
# agent has one.
gt_vacant() {
  [ -e "$1" ] || return 0
  command -v flock >/dev/null 2>&1 || return 0
  for gt_second in 1 2 3 4; do
    (flock -n 9) 9>>"$1" && return 0
    [ "$gt_second" = 4 ] || sleep 1
  done
  gt_pids=
  for gt_fd in /proc/[0-9]*/fd/9; do
    [ "$(readlink "$gt_fd" 2>/dev/null)" = "$1" ] || continue
    gt_pid=${gt_fd#/proc/}
    gt_pids="$gt_pids ${gt_pid%%/*}"
  done
  gt_fail "$gt_home is still worked in by process${gt_pids:- (unknown)}: something that an agent started there runs; end it with: kill${gt_pids:- PID}"
}

# Takes the worktree $gt_home away, unless something runs in it; $gt_dir is its git folder. What is in it and nowhere else is kept before, under the ref $1, and pushed if that goes.
gt_take_away() {
  gt_vacant "$gt_dir/gt-agent.lock"
  gt_refs=
  gt_keep_inner "$1"
  gt_dirty=$(git -C "$gt_home" status --porcelain) || gt_fail "cannot tell what is in $gt_home"
  gt_tip=$(git -C "$gt_home" rev-parse -q --verify HEAD)
  [ -z "$gt_dirty" ] || gt_snapshot "$gt_home"
  gt_keep "$1" "$gt_tip"
  # While a rebase goes on the branch is not what HEAD stands on.
  gt_old=$(git -C "$gt_home" rev-parse -q --verify "refs/heads/$gt_branch") && gt_keep "$1-branch" "$gt_old"
  for gt_ref in $gt_refs; do
    [ ! -d "$gt_home/.git" ] || gt_try "cannot keep $gt_ref" gt_git -C "$gt_clone" fetch -q --no-tags "$gt_home" "+$gt_ref:$gt_ref"
    if gt_git -C "$gt_clone" push -q origin "+$gt_ref:$gt_at_origin${gt_ref#refs/gt/recovery/}" >/dev/null 2>&1 9>&-; then
      echo "gt: kept $gt_ref on origin"
    else
      echo "gt: kept $gt_ref in $gt_clone"
    fi
  done
  gt_drop
}

# REF COMMIT: keeps a commit that no branch of origin and no kept ref reaches.
gt_keep() {
  [ -n "$2" ] || return 0
  gt_only=$(git -C "$gt_home" rev-list -n 1 "$2" --not --remotes --glob=refs/gt/recovery) || gt_fail "cannot tell whether $2 is pushed"
  if [ -n "$gt_only" ]; then
    gt_try "cannot keep $2" git -C "$gt_home" update-ref "$1" "$2"
    gt_refs="$gt_refs $1"
  fi
}

# Takes the worktree $gt_home and its branch away, whatever is in it. A branch that stood before ($gt_own) stays.
gt_drop() {
  if [ ! -d "$gt_home/.git" ]; then
    gt_git -C "$gt_clone" worktree remove -f -f "$gt_home" >/dev/null 2>&1 9>&-
  fi
  rm -rf "$gt_home" || gt_fail "cannot remove $gt_home"
  gt_git -C "$gt_clone" worktree prune --expire=now >/dev/null 2>&1 9>&-
  if [ -z "$gt_own" ] && git -C "$gt_clone" show-ref -q --verify "refs/heads/$gt_branch"; then
    gt_try "cannot remove the branch $gt_branch" git -C "$gt_clone" update-ref -d "refs/heads/$gt_branch"
  fi
}
