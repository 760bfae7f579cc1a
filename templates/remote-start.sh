# An agent's start on another machine (docs/remote-execution.md): one text for sh, sent as the command of its session. It
# ends by becoming the agent. {{parts}} is remote-parts.sh.
gt_instance={{instance}}
gt_town={{town}}
gt_kind={{kind}}
gt_rig={{rig}}
gt_name={{name}}
gt_home={{home}}
gt_branch={{branch}}
gt_at_origin={{recovery_at_origin}}
gt_target={{target}}
gt_begin={{begin}}
gt_start={{start}}
gt_start_branch={{start_branch}}
gt_kept={{kept}}
gt_url={{git_url}}
gt_subject={{subject}}
gt_notes=$gt_town/.gt-start
gt_making=$gt_notes/$gt_rig-$gt_name.making
gt_made=
gt_own=
gt_rig_dir=$gt_town/$gt_rig
gt_clone=$gt_rig_dir/mayor/rig
gt_files=$gt_notes
gt_shell="sh"
{{parts}}

# The rig's clone, made beside its place when it is missing, and its target as it is now.
gt_rig_clone() {
  mkdir -p "$gt_rig_dir/mayor" || gt_fail "cannot make $gt_rig_dir/mayor"
  gt_lock "$gt_rig_dir/mayor/.gt-start.lock"
  if [ ! -e "$gt_clone/.git" ]; then
    rm -rf "$gt_clone".gt-new-*
    gt_check_out "$gt_clone.gt-new-$gt_instance" "cannot clone $gt_url (can git read it from here? git ls-remote $gt_url)" gt_git clone -q --no-recurse-submodules -- "$gt_url" "$gt_clone.gt-new-$gt_instance"
    [ ! -e "$gt_clone" ] || rmdir "$gt_clone" || gt_fail "$gt_clone is there, and is no clone"
    mv "$gt_clone.gt-new-$gt_instance" "$gt_clone" || gt_fail "cannot make $gt_clone"
    [ -n "$(git -C "$gt_clone" ls-files .beads)" ] || printf '/.beads\n' >>"$gt_clone/.git/info/exclude"
  fi
  gt_unlock
  # The lock that gt itself takes for this clone's worktrees, should it be here as well.
  gt_lock "$gt_clone/.git/gt-worktrees.lock"
  gt_try "cannot fetch $gt_target" gt_git -C "$gt_clone" fetch -q --no-tags origin "+refs/heads/$gt_target:refs/remotes/origin/$gt_target"
}

# A line for info/exclude of the place's repository, once.
gt_exclude() {
  gt_info=$gt_home/.git/info
  [ -d "$gt_home/.git" ] || gt_info=$gt_clone/.git/info
  mkdir -p "$gt_info"
  grep -qxF -e "$1" "$gt_info/exclude" 2>/dev/null || printf '%s\n' "$1" >>"$gt_info/exclude"
}

# The polecat's place on its branch: what an earlier session of the same instance left is used as it is.
gt_place() {
  if [ -e "$gt_making" ] && [ -e "$gt_home" ]; then
    # A kill came before anybody could work in it.
    gt_own=$(cat "$gt_making")
    gt_drop
    gt_own=
  fi
  if [ -e "$gt_home/.git" ]; then
    gt_dir=$(git -C "$gt_home" rev-parse --absolute-git-dir 2>/dev/null) || gt_fail "$gt_home is no worktree of $gt_clone"
    gt_had=$(cat "$gt_dir/gt-instance" 2>/dev/null)
    if [ "$gt_begin" = again ] && [ "${gt_had:-$gt_instance}" = "$gt_instance" ]; then
      return
    fi
    gt_pid=$(cat "$gt_dir/gt-pid" 2>/dev/null)
    if [ -n "$gt_had" ] && tr '\000' '\n' 2>/dev/null <"/proc/${gt_pid:-none}/environ" | grep -qxF "GT_INSTANCE=$gt_had"; then
      gt_fail "$gt_home is still worked in by process $gt_pid (instance $gt_had)"
    fi
    gt_mine=$gt_branch
    gt_branch=$(git -C "$gt_home" symbolic-ref -q --short HEAD) || gt_branch=$gt_mine
    gt_take_away "refs/gt/recovery/$gt_name/${gt_had:-$gt_instance}"
    gt_branch=$gt_mine
  fi
  mkdir -p "$gt_rig_dir/polecats"
  gt_base=refs/remotes/origin/$gt_target
  gt_earlier=
  case $gt_begin in
  earlier)
    gt_fetch_start || gt_fail "cannot fetch the commits of the earlier attempt from origin ($gt_start)"
    ;;
  again)
    if git -C "$gt_clone" show-ref -q --verify "refs/heads/$gt_branch"; then
      gt_own=own
    elif gt_git -C "$gt_clone" fetch -q --no-tags origin "+refs/heads/$gt_branch:refs/remotes/origin/$gt_branch" 2>/dev/null 9>&-; then
      gt_base=refs/remotes/origin/$gt_branch
    else
      gt_fetch_start || :
    fi
    ;;
  esac
  gt_git -C "$gt_clone" worktree prune --expire=now >/dev/null 2>&1 9>&-
  # Until the agent takes over nothing in it is anybody's; but for a branch that stood before.
  printf '%s\n' "$gt_own" >"$gt_making" || gt_fail "cannot write $gt_making"
  if [ "$gt_begin" != again ]; then gt_made=yes; fi
  if [ "$gt_kind" = clone ]; then
    gt_try "cannot clone $gt_clone" gt_git clone -q --no-checkout -- "$gt_clone" "$gt_home"
    gt_try "cannot fetch into $gt_home" gt_git -C "$gt_home" fetch -q --no-tags --prune "$gt_clone" "+refs/remotes/origin/*:refs/remotes/origin/*" "+refs/gt/*:refs/gt/*"
    gt_try "cannot set the origin of $gt_home" git -C "$gt_home" remote set-url origin -- "$(git -C "$gt_clone" remote get-url origin)"
    gt_check_out "$gt_home" "cannot make the branch $gt_branch" gt_git -C "$gt_home" checkout -q --no-track -B "$gt_branch" "$gt_base"
  elif [ -n "$gt_own" ]; then
    gt_check_out "$gt_home" "cannot make the worktree $gt_home" gt_git -C "$gt_clone" worktree add -q "$gt_home" "$gt_branch"
  else
    gt_tip=$(git -C "$gt_clone" rev-parse -q --verify "refs/heads/$gt_branch") && gt_try "cannot keep $gt_tip" git -C "$gt_clone" update-ref "refs/gt/recovery/$gt_name/$gt_tip" "$gt_tip"
    gt_check_out "$gt_home" "cannot make the worktree $gt_home" gt_git -C "$gt_clone" worktree add -q --no-track -B "$gt_branch" "$gt_home" "$gt_base"
  fi
  if [ -n "$gt_earlier" ]; then
    # A conflict is the agent's first task; its prompt says so.
    if ! gt_git -C "$gt_home" rebase -q "refs/remotes/origin/$gt_target" >/dev/null 2>&1 </dev/null 9>&-; then
      git -C "$gt_home" diff --name-only --diff-filter=U | grep -q . || gt_fail "cannot replay the earlier attempt onto $gt_target"
      echo "gt: the earlier attempt conflicts with $gt_target"
    fi
  fi
  gt_unlock
  gt_prepare
  # The branch has the commits now: nobody needs the ref that brought them any more.
  if [ -n "$gt_earlier" ]; then
    git -C "$gt_clone" update-ref -d "$gt_start"
    gt_git -C "$gt_clone" push -q --no-recurse-submodules origin ":$gt_earlier" >/dev/null 2>&1 </dev/null || :
  fi
}

# Commits of an earlier attempt, that were sent over by a ref of origin.
gt_fetch_start() {
  [ -n "$gt_start" ] || return 1
  for gt_from in "$gt_start" "$gt_start_branch"; do
    if gt_git -C "$gt_clone" fetch -q --no-tags origin "+$gt_from:$gt_start" 2>/dev/null 9>&-; then
      # Others can push to origin too.
      [ "$(git -C "$gt_clone" rev-parse "$gt_start")" = "${gt_kept:-none}" ] || continue
      gt_base=$gt_start
      gt_earlier=$gt_from
      return 0
    fi
  done
  return 1
}

# What the rig wants in a fresh place: submodules, copies, links, the agent's settings, the setup command.
gt_prepare() {
{{prepare}}
}

# FOLDER PATH: whether no link above PATH leads out of FOLDER.
gt_inside() {
  gt_dir=$(dirname "$1/$2")
  until [ -e "$gt_dir" ] || [ -L "$gt_dir" ]; do gt_dir=$(dirname "$gt_dir"); done
  gt_dir=$(cd "$gt_dir" 2>/dev/null && pwd -P) || return 1
  case $gt_dir/ in
  "$(cd "$1" && pwd -P)"/*) return 0 ;;
  esac
  return 1
}

# FOLDER PATH: fails when a link above PATH leads out of FOLDER.
gt_within() {
  gt_inside "$1" "$2" || gt_fail "$2 in $1 is behind a link that leads out of that folder: nothing is read or written through it"
}

# PATTERN BEFORE: the paths here that a pattern stands for, each after BEFORE.
gt_match() {
  (
    IFS=
    case $1 in
    *'**/'*)
      # shellcheck disable=SC2086 # the pattern is one
      for gt_top in ${1%%'**/'*}.; do
        find "$gt_top" -name .git -prune -o -type d -print
      done | while read -r gt_at; do
        (cd "$gt_at" && gt_match "${1#*'**/'}" "$2$gt_at/")
      done
      ;;
    *)
      # shellcheck disable=SC2086 # the pattern is one
      for gt_at in $1; do
        [ ! -e "$gt_at" ] || printf '%s\n' "$2$gt_at" | sed -e 's|/\(\./\)*|/|g' -e 's|^\./||'
      done
      ;;
    esac
  )
}

# HOW PATH: copies or links what the clone here has at a path or pattern, unless it is there already.
gt_bring() {
  case $2 in
  *[*?[]*) ;;
  *)
    if [ -e "$gt_clone/$2" ]; then
      gt_bring_one "$1" "$2"
    else
      echo "gt: $gt_clone/$2 is not there: not brought along"
    fi
    return
    ;;
  esac
  gt_found=$(cd "$gt_clone" && gt_match "$2" '')
  gt_any=
  while IFS= read -r gt_one; do
    # A pattern stands for no tracked file, and leads through no link.
    if [ -z "$gt_one" ] || ! gt_inside "$gt_clone" "$gt_one"; then continue; fi
    if [ -f "$gt_clone/$gt_one" ] && [ -n "$(git -C "$gt_clone" ls-files -- ":(literal)$gt_one")" ]; then continue; fi
    gt_any=yes
    gt_bring_one "$1" "$gt_one"
  done <<gt_end_of_found
$gt_found
gt_end_of_found
  [ -n "$gt_any" ] || echo "gt: nothing in $gt_clone fits $2: not brought along"
}

gt_bring_one() {
  gt_within "$gt_clone" "$2"
  gt_within "$gt_home" "$2"
  if [ ! -e "$gt_home/$2" ] && [ ! -L "$gt_home/$2" ]; then
    mkdir -p "$(dirname "$gt_home/$2")"
    if [ "$1" = link ]; then
      gt_try "cannot link $2" ln -s "$gt_clone/$2" "$gt_home/$2"
    else
      gt_try "cannot copy $2" cp -RPp "$gt_clone/$2" "$gt_home/$2"
    fi
    gt_exclude "/$(printf '%s\n' "$2" | sed 's/[*?[\\ ]/\\&/g')"
  fi
}

# PATH TEXT: a settings file of the agent, unless the project or a person has one.
gt_settings() {
  if [ ! -e "$gt_home/$1" ] && [ ! -L "$gt_home/$1" ]; then
    gt_within "$gt_home" "$1"
    mkdir -p "$(dirname "$gt_home/$1")"
    printf '%s\n' "$2" >"$gt_home/$1" || gt_fail "cannot write $gt_home/$1"
    [ ! -e "$gt_home/.git" ] || gt_exclude "/$1"
  fi
}

# FOLDER WHAT COMMAND…: a checkout into FOLDER. A hook of git's that fails after a whole checkout is named, and no reason to stop.
gt_check_out() {
  gt_in=$1
  gt_what=$2
  shift 2
  gt_said=$("$@" 2>&1 </dev/null 9>&-) && return
  if [ -e "$gt_in/.git" ] && [ -n "$(git -C "$gt_in" ls-files)" ] && [ -z "$(git -C "$gt_in" ls-files --deleted)" ]; then
    echo "gt: a hook failed after the checkout: $(printf '%s\n' "$gt_said" | tail -n 5)"
  else
    gt_fail "$gt_what: $(printf '%s\n' "$gt_said" | tail -n 5)"
  fi
}

gt_set_up() {
  gt_said=$(cd "$gt_home" && "$@" 2>&1 </dev/null) || gt_fail "worktree.setup ended with $?: $(printf '%s\n' "$gt_said" | tail -n 5)"
}

# Somebody's own clone of a rig, made beside its place when it is missing.
gt_crew() {
  mkdir -p "$gt_rig_dir/crew" || gt_fail "cannot make $gt_rig_dir/crew"
  gt_lock "$gt_rig_dir/crew/.gt-start.lock"
  if [ ! -e "$gt_home/.git" ]; then
    rm -rf "$gt_home".gt-new-*
    gt_check_out "$gt_home.gt-new-$gt_instance" "cannot clone $gt_url (can git read it from here? git ls-remote $gt_url)" gt_git clone -q --no-recurse-submodules --reference-if-able "$gt_clone" --dissociate --branch "$gt_target" -- "$gt_url" "$gt_home.gt-new-$gt_instance"
    [ ! -e "$gt_home" ] || rmdir "$gt_home" || gt_fail "$gt_home is there, and is no clone"
    mv "$gt_home.gt-new-$gt_instance" "$gt_home" || gt_fail "cannot make $gt_home"
  fi
  gt_unlock
}

# The bead's own script in place of an agent: from the target, then committed and handed in.
gt_script() {
  if [ -d "$gt_files/rebase-merge" ] || [ -d "$gt_files/rebase-apply" ]; then
    git rebase --abort
  fi
  gt_tip=$(git rev-parse HEAD)
  if [ -n "$(git status --porcelain)" ]; then
    # Not git stash: all worktrees of a clone share one.
    git add -A || return 1
    gt_tree=$(git write-tree) || return 1
    gt_tip=$(git -c user.name=gt -c user.email=gastown@localhost commit-tree --no-gpg-sign "$gt_tree" -p HEAD -m "$GT_BEAD: left by an earlier run") || return 1
  fi
  if [ "$gt_tip" != "$(git rev-parse HEAD)" ] || [ "$(git rev-list --count "refs/remotes/origin/$gt_target..HEAD")" != 0 ]; then
    git update-ref "refs/gt/recovery/$gt_name/$gt_tip" "$gt_tip" || return 1
    git reset -q --hard "refs/remotes/origin/$gt_target" || return 1
    echo "gt: what an earlier run left is kept under refs/gt/recovery/$gt_name/$gt_tip"
  fi
  gt_return=$(printf '\r')
  sed -n "$1,$2{s/$gt_return\$//;s/^ \\{0,$3\\}//;p;}" "$GT_BEAD_FILE" >"$gt_files/gt-script"
  {
    "$gt_shell" -eu "$gt_files/gt-script" </dev/null
    echo "$?" >"$gt_files/gt-code"
  } 2>&1 | tee "$gt_files/gt-script.log"
  gt_code=$(cat "$gt_files/gt-code")
  if [ "$gt_code" != 0 ]; then
    return "$gt_code"
  fi
  git add -A || return 1
  if ! git diff --cached --quiet; then
    printf '%s\n' "$gt_subject" | git commit -q --cleanup=verbatim -F - || return 1
  fi
  if [ "$(git rev-list --count "refs/remotes/origin/$gt_target..HEAD")" = 0 ]; then
    sh "$GT_DONE" --no-changes "the script changed nothing"
  else
    sh "$GT_DONE"
  fi
}

echo "gt: preparing $gt_instance"
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE BEADS_DIR
{ mkdir -p "$gt_notes" && cd "$gt_town"; } || gt_fail "cannot make the town $gt_town"
rm -f "$gt_notes/$gt_instance.failed"
gt_show_proof
[ "$gt_kind" = folder ] || command -v git >/dev/null 2>&1 || gt_fail "git is not installed or not on PATH ($PATH)"
case $gt_kind in
worktree | clone)
  gt_rig_clone
  gt_place
  gt_unlock
  gt_files=$(git -C "$gt_home" rev-parse --absolute-git-dir) || gt_fail "$gt_home is no worktree"
  ;;
*)
  if [ "$gt_kind" = crew ]; then gt_crew; fi
  mkdir -p "$gt_home" || gt_fail "cannot make $gt_home"
  gt_prepare
  ;;
esac
gt_directory={{directory}}
{ mkdir -p "$gt_directory" && cd "$gt_directory"; } || gt_fail "cannot go to $gt_directory"
{{environment}}
gt_prompt={{prompt_without_gt}}
if command -v gt >/dev/null 2>&1 && [ -f "$gt_town/mayor/town.json" ] && [ -d {{beads_dir}} ]; then
  gt_prompt={{prompt}}
  export BEADS_DIR={{beads_dir}} BEADS_NO_DAEMON=1 BEADS_MAIL_DELEGATE='gt mail'
  [ ! -d "$gt_town/bin" ] || export PATH="$gt_town/bin:$PATH"
fi
GT_PROMPT_FILE=$gt_files/gt-prompt.md
[ "$gt_files" != "$gt_notes" ] || GT_PROMPT_FILE=$gt_notes/$gt_instance.prompt
export GT_PROMPT_FILE
printf '%s' "$gt_prompt" >"$GT_PROMPT_FILE" || gt_fail "cannot write $GT_PROMPT_FILE"
{{work}}
{{program}}
# The agent and everything that it starts hold the lock that gt takes for an agent on its own machine.
if command -v flock >/dev/null 2>&1; then
  gt_dir=$gt_files
  if [ "$gt_files" = "$gt_notes" ]; then
    gt_dir=$gt_home
    [ ! -d "$gt_home/.git" ] || gt_dir=$gt_home/.git
  fi
  gt_vacant "$gt_dir/gt-agent.lock"
  (: >"$gt_dir/gt-agent.lock") 2>/dev/null || gt_fail "cannot write $gt_dir/gt-agent.lock"
  exec 9>>"$gt_dir/gt-agent.lock"
  flock -n 9 || gt_fail "another agent was started in $gt_home meanwhile"
fi
rm -f "$gt_making"
if [ "$gt_files" != "$gt_notes" ]; then
  printf '%s\n' "$gt_instance" >"$gt_files/gt-instance"
  printf '%s\n' "$$" >"$gt_files/gt-pid"
fi
trap - EXIT HUP INT TERM
gt_show_proof
{{run}}
