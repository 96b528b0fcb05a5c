# What the wrapper and the sweep share: find this container's processes, and end them.
# Everything here is done with what is built into the shell: when a process table is full, nothing can be started.
#
# Set by whoever uses it:
#   self   the process id of this very process
#   spare  1: leave alone what the container runtime started, that is the wrapper itself and every exec; empty: nothing

# scan looks at every process once and sets
#   mine     this container's live processes, less this one and those spared: " 7 8 9 "
#   parents  the parents of mine
#   dead     the unreaped dead: "10:7:10:5", each with its parent, its process group and its session
# A process is this container's if it has this mount namespace, or if it descends from one that has. What may not be
# looked at (another user's, a more privileged one) is not ours; so is nothing of the target container.
scan() {
  kin=' ' all= dead=
  for dir in /proc/[0-9]*; do
    { IFS= read -r stat <"$dir/stat"; } 2>/dev/null || continue
    # PID (NAME) STATE PARENT GROUP SESSION …, where NAME may hold spaces and brackets.
    stat=${stat##*) }
    set -- $stat
    pid=${dir#/proc/}
    # One whose first thread has ended looks dead, and is not while others run.
    case $1 in Z | X)
      for thread in "$dir"/task/*; do
        [ "${thread##*/}" != "$pid" ] && [ -d "$thread" ] && dir=$thread
      done
      [ "$dir" = "/proc/$pid" ] && dead="$dead $pid:$2:$3:$4" && continue
      ;;
    esac
    all="$all $pid:$2"
    [ "$dir/ns/mnt" -ef /proc/self/ns/mnt ] && kin="$kin$pid "
  done
  descend
  mine= parents=' '
  for entry in $all; do
    case $kin in *" ${entry%:*} "*) ;; *) continue ;; esac
    [ "${entry%:*}" = "$self" ] && continue
    # What the runtime started has its parent outside this process namespace: 0, or ours if the namespace is the host's.
    [ "$spare" ] && case ${entry#*:} in 0 | "$PPID") continue ;; esac
    mine="$mine ${entry%:*}"
    parents="$parents${entry#*:} "
  done
}

# descend adds to kin what descends from it: a child that entered the target's mount namespace is still a debugger.
descend() {
  grown=1
  while [ "$grown" ]; do
    grown=
    for entry in $all; do
      case $kin in *" ${entry%:*} "*) continue ;; esac
      case $kin in *" ${entry#*:} "*) kin="$kin${entry%:*} " grown=1 ;; esac
    done
  done
}

# called PID sets name to what a process calls itself: at most 15 characters, which it can write to its /proc/self/comm.
called() {
  name=
  { IFS= read -r stat <"/proc/$1/stat"; } || return
  name=${stat#*\(}
  name=${name%)*}
}

# clock sets time to the machine's uptime in hundredths of a second, and later to a second after that.
clock() {
  read -r up rest </proc/uptime
  time=${up%.*}${up#*.} later=$((${up%.*} + 1))${up#*.}
}

# ask tells those of mine that have no children to end: a debugger lets go of what it holds, a capture is written out, an
# interactive shell keeps its history. Shells ignore TERM but not HUP. Their parents are stopped meanwhile, or a script
# would go on with its next line.
ask() {
  for pid in $mine; do
    case $parents in
    *" $pid "*) kill -STOP "$pid" ;;
    *) kill -TERM "$pid" && kill -HUP "$pid" && kill -CONT "$pid" ;;
    esac
  done
}

# finish kills what is left, for at most three seconds, and fails if something resists.
# All are stopped first: a stopped process neither forks nor starts the next line of a script. Then children are killed
# before their parents, and a parent that can gets to reap them: what is not reaped goes to the process namespace's
# first process, which is the user's application and may never reap it. After a second order is given up.
finish() {
  clock
  orderly=$later last=$((${up%.*} + 3))${up#*.} stopped=' ' tried=' '
  while [ "$time" -lt "$last" ]; do
    scan
    [ "$mine" ] || return 0
    clock
    new=
    for pid in $mine; do
      case $stopped in
      *" $pid "*) ;;
      *) kill -STOP "$pid" && stopped="$stopped$pid " new=1 ;;
      esac
    done
    [ "$new" ] && [ "$time" -lt "$orderly" ] && continue
    for pid in $mine; do
      if [ "$time" -lt "$orderly" ]; then
        case $parents in *" $pid "*) continue ;; esac
        case $tried in *" $pid "*) ;; *) reap "$pid" && continue ;; esac
      fi
      kill -KILL "$pid"
    done
  done
  return 1
}

# reap lets a stopped process run until it has reaped its dead children, and fails if it has none or must not run.
# Only an interactive shell may, which then prompts: its jobs have process groups of their own, in its own session. The
# children of a script have the script's group, and a script that ran would go on with its next line.
reap() {
  children=
  { IFS= read -r stat <"/proc/$1/stat"; } || return 1
  set -- "$1" ${stat##*) }
  for entry in $dead; do
    case $entry in
    *:"$1:$4:"*) return 1 ;;
    *:"$1":*:"$5") children="$children ${entry%%:*}" ;;
    *:"$1":*:*) return 1 ;;
    esac
  done
  [ "$children" ] || return 1
  tried="$tried$1 "
  kill -CONT "$1"
  for child in $children; do
    while [ "$time" -lt "$orderly" ] && [ -d "/proc/$child" ]; do clock; done
  done
  kill -STOP "$1"
}
