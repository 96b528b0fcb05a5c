# sh -c 'eval "$DEBUGSESSION_SCRIPT"' debugsession DEADLINE HARD_DEADLINE START_BY -- COMMAND ARG…, where the variable is THIS.
# Runs COMMAND, and ends the container at DEADLINE, in seconds since 1970, or when it gets a SIGURG. It can be told
# another deadline, as late as HARD_DEADLINE.
#
# Set before it:
#   warnings  how many seconds before its end the terminal is told of it, the longest first
#   idle      after how many seconds in which nobody uses the terminal it ends, as the functions do that then stand before it
#   hold      for how many seconds the container is kept for its files when the command has ended, as the function does that then stands before it
#   session   what kubectl dbg knows the session by
#
# Three processes: the wrapper, which only waits, and whose exit ends the container; its watchdog, which ends the
# others; and COMMAND. The signal is URG because a process that knows nothing of it is not disturbed by it.

# note leaves a line where the kubelet looks for a container's last words.
note() {
  [ -w /dev/termination-log ] && echo "debugsession: $*" >>/dev/termination-log
} 2>/dev/null

# give_up CODE WORDS…: the command is not started.
give_up() {
  code=$1
  shift
  note "not started: $*"
  echo "debugsession: not started: $*" >&2
  exit "$code"
}

# ask_time sets now to the seconds since 1970, or to nothing: from date, or without one from when the machine booted and
# how long it has run.
ask_time() {
  now=$(date +%s)
  case $now in
  '' | *[!0-9]*) ;;
  *) return ;;
  esac
  now=
  while read -r key value rest; do
    [ "$key" = btime ] && read -r up rest </proc/uptime && now=$((value + ${up%.*}))
  done </proc/stat
} 2>/dev/null

# watch is the watchdog. It holds none of the command's files, no signal meant for the command ends it, and whatever
# makes it leave, it ends the container. It naps for a minute at most, so that it follows a clock that is set. It exits
# with 0 at the deadline, with 3 at the hard deadline, with 4 when nobody uses it, with 1 when asked to end earlier, and with
# another code when it cannot go on.
watch() {
  read -r self rest </proc/self/stat
  trap 'over=1' URG
  trap 'told=1' USR1
  trap 'leave' VTALRM
  trap 'end' EXIT
  ended=1
  publish
  while [ -z "$over" ]; do
    [ "$told" ] && hear
    # Not while date or stat runs: bash would leave it unreaped.
    trap 'leaving=1' VTALRM
    ask_time
    [ "$now" ] || ask_time # a signal may have cut it short
    [ "$idle" ] && look
    trap 'leave' VTALRM
    [ "$leaving" ] && leave
    [ "$now" ] || exit 2
    [ "$now" -lt "$deadline" ] && left=$((deadline - now)) || break
    find_due
    [ "$due" ] && [ "$due" != "$given" ] && warn && continue # which may have taken a second
    if [ "$idle" ]; then
      [ "$rest" -gt 0 ] || idled=1
      [ "$idled" ] && break
      [ -z "$noticed" ] && [ "$rest" -le "$notice" ] && warn_idle && continue
    fi
    choose_nap
    sleep "$nap" &
    timer=$!
    # What the end needs is started while there are processes to be had: it takes a second more.
    last=
    if [ "$nap" = "$left" ]; then
      sleep "$((left + 1))" &
      last=$!
    fi
    wait "$timer"
    [ $? = 0 ] && [ "$last" ] && timer=$last && break
    [ "$over" ] || drop
  done
  trap '' USR1
  if [ "$over" ]; then
    :
  elif [ "$idled" ]; then
    ended=4
    sleep 1 &
    timer=$!
  elif [ "$deadline" = "$hard" ]; then
    ended=3
  else
    ended=0
  fi
  part
  exit "$ended"
}

# choose_nap sets nap to how many seconds to sleep: until the next thing is due, and a minute at most.
choose_nap() {
  [ "$left" -gt 60 ] && nap=60 || nap=$left
  for before in $warnings; do
    [ "$left" -gt "$before" ] && [ "$((left - before))" -lt "$nap" ] && nap=$((left - before))
  done
  [ "$idle" ] || return
  [ "$noticed" ] || rest=$((rest - notice))
  [ "$rest" -lt "$nap" ] && nap=$rest
}

# publish has the watchdog call itself by its deadline: that is how it is found, and how it answers.
publish() {
  echo "ends $deadline" >/proc/self/comm
}

# is_over is what the wrapper does when it is told that the end has come: it sees by the watchdog's name why.
is_over() {
  over=1
  IFS= read -r heard <"/proc/$watchdog/comm" || return
  case $heard in "over "*) why=${heard#over } ;; esac
}

# hear looks for who calls itself by another deadline, and makes that its own, if it is not past the hard deadline.
hear() {
  told=
  scan
  for pid in $mine; do
    called "$pid"
    wanted=${name#until}
    case $wanted in "$name" | '' | *[!0-9]*) continue ;; esac
    [ "$wanted" -le "$hard" ] && [ "$wanted" != "$deadline" ] && deadline=$wanted given=
  done
  publish
}

# find_due sets due to the shortest of the warnings whose time has come, or to nothing.
find_due() {
  due=
  for before in $warnings; do
    [ "$left" -le "$before" ] && due=$before
  done
}

# warn tells whoever is at the terminal how soon the end is.
warn() {
  given=$due
  count_time "$left"
  more=$(((hard - deadline) / 60))
  [ "$more" -gt 30 ] && more=30
  advice="it cannot be extended"
  [ "$more" -gt 0 ] && advice="kubectl dbg extend $session +${more}m extends it"
  tell 'this session ends in %d %s, at %02d:%02d:%02d UTC; %s' "$count" "$unit" \
    "$((deadline / 3600 % 24))" "$((deadline / 60 % 60))" "$((deadline % 60))" "$advice"
}

# count_time SECONDS sets count and unit to what a person calls it.
count_time() {
  count=$1 unit=second
  [ "$1" -ge 60 ] && count=$((($1 + 30) / 60)) unit=minute
  [ "$count" = 1 ] || unit=${unit}s
}

# tell FORMAT WORDS… writes a line to the terminal. A process of its own does, and is given a second: a terminal that is held with
# Ctrl-S blocks who writes to it. It has ended before the next process is started, so that a process table in which there is room
# for one is enough, as it is for the nap.
tell() {
  format=$1 ours=1
  shift
  printf "\\r\\ndebugsession: $format\\r\\n" "$@" >/dev/console &
  writer=$!
  clock
  enough=$later
  while runs "$writer"; do
    clock
    [ "$over" ] || [ "$time" -ge "$enough" ] && kill -KILL "$writer" && break
  done
  wait "$writer"
  :
}

# runs reports whether a process is there and not dead.
runs() {
  { IFS= read -r stat <"/proc/$1/stat"; } || return
  case ${stat##*) } in Z* | X*) return 1 ;; esac
}

# part asks the processes to end and gives them a second: until the timer or the sweep says that it is over, or the
# wrapper that the command has ended. The watchdog calls itself by the code that it will exit with.
part() {
  echo "over $ended" >/proc/self/comm
  trap 'gone=1' VTALRM
  kill -URG "$$"
  spare=1
  scan
  farewell
  ask
  [ "$gone" ] || wait "$timer"
}

# leave ends the watchdog alone: the wrapper tells it to when the command has ended by itself.
leave() {
  trap - EXIT
  drop
  exit 1
}

# drop ends the watchdog's own children. Not every kernel lists them.
drop() {
  list=/proc/$self/task/$self/children born=
  if [ -r "$list" ]; then
    read -r born <"$list"
  else
    scan
    for entry in $all; do
      [ "${entry#*:}" = "$self" ] && born="$born ${entry%:*}"
    done
  fi
  for pid in $born; do kill -KILL "$pid"; done
  wait
}

# end ends everything but the wrapper, which waits for that. It starts nothing.
end() {
  trap '' URG VTALRM
  kill -URG "$$"
  spare=1
  drop
  finish && kill -CONT "$$" && return
  # Something resists. Without the wrapper the container has ended for the runtime, which kills what is left.
  kill -CONT "$$"
  kill -KILL "$$"
}

# farewell tells whoever is at the terminal; in a process of its own, for a terminal that was held with Ctrl-S blocks
# who writes to it. Not when there are many processes: it may then be impossible to start another.
farewell() {
  set -- $mine
  [ -c /dev/console ] && [ "$#" -lt 30 ] || return
  printf '\r\ndebugsession: this session is over.\r\n' >/dev/console &
}

# at_terminal runs the command in the foreground: a shell makes what it runs in the background deaf to Ctrl-C.
# TERM ends the wrapper at once, unless it is process 1: it could not pass it on before the command has ended.
at_terminal() {
  trap : INT QUIT
  (
    trap - URG
    exec <&3 >&4 2>&5 3<&- 4>&- 5>&-
    exec "$@"
  )
  code=$?
}

# outcome PID sets code to how a child has ended. A signal cuts a wait short, and in bash also one that came since the last
# wait did; then, and when a signal came as the child ended, the child's own code is still to be had.
outcome() {
  wait "$1"
  code=$?
  while [ "$code" -gt 128 ]; do
    alive=
    [ -d "/proc/$1" ] && alive=1
    wait "$1"
    last=$?
    [ "$last" = 127 ] && return
    code=$last
    [ "$alive" ] || return
  done
}

# without_terminal runs the command in the background: only then can a signal be passed on while it runs. One that comes
# before it is known whom to pass it to is kept until then.
without_terminal() {
  signals='HUP INT QUIT TERM USR1 USR2' kept=
  for signal in $signals; do
    trap "kept=\"\$kept $signal\"" "$signal"
  done
  (
    trap - $signals URG
    exec <&3 >&4 2>&5 3<&- 4>&- 5>&-
    exec "$@"
  ) &
  command=$!
  exec 3<&- 4>&- 5>&-
  for signal in $signals; do
    trap "kill -$signal $command" "$signal"
  done
  for signal in $kept; do
    kill "-$signal" "$command"
  done
  outcome "$command"
}

deadline=$1 hard=$2 start_by=$3
shift 4
self=$$ spare= over= why= told= gone= timer= leaving= ours= used= noticed= idled=
[ /proc/self/ns/mnt -ef "/proc/$$/ns/mnt" ] ||
  give_up 125 "/proc/self/ns/mnt cannot be read, so nothing could find its processes to end them"
command -v sleep >/dev/null ||
  give_up 125 "no sleep is in its PATH ($PATH), so nothing could end it in time; use an image with a shell, sleep and date, or another PATH"
ask_time
[ "$now" ] ||
  give_up 125 "the image has no date, so nothing could end it in time; use an image with a shell, sleep and date"
[ "$now" -lt "$deadline" ] ||
  give_up 124 "its deadline had passed before it could start"
[ "$now" -lt "$start_by" ] ||
  give_up 124 "it came too late: its session has stopped waiting for it"
command -v "$1" >/dev/null ||
  give_up 127 "the image has no $1; set debugger.command to a program that it has"

[ -t 0 ] && [ -c /dev/console ] || warnings= idle=
[ -z "$idle" ] || command -v stat >/dev/null ||
  give_up 125 "no stat is in its PATH ($PATH), so nobody could tell when it is not used; use an image that has it, or leave out idleTimeout"

[ -z "$hold" ] || command -v cat >/dev/null ||
  give_up 125 "no cat is in its PATH ($PATH), so its artifacts could not be read; use an image that has it, or leave out artifacts"

exec 3<&0 4>&1 5>&2 </dev/null >/dev/null 2>&1
# Who uses it is told a minute before the end, and half of a shorter time.
[ "$idle" ] && notice=$((idle / 2)) && [ "$notice" -gt 60 ] && notice=60
# A session that is shorter than a warning has no such warning.
left=$((deadline - now))
find_due
given=$due
# Ignored before the watchdog is born, which thus never knows them.
trap '' HUP INT QUIT TERM USR1 USR2 TSTP TTIN TTOU
watch 3<&- 4>&- 5>&- &
watchdog=$!
trap - HUP INT QUIT TERM USR1 USR2 TSTP TTIN TTOU
trap is_over URG
if [ "$over" ]; then :; elif [ -t 3 ]; then at_terminal "$@"; else without_terminal "$@"; fi

held=
[ -z "$hold" ] || [ "$over" ] || hold_files

# From here on no signal cuts a wait short.
trap '' HUP INT QUIT TERM USR1 USR2 URG
kill -VTALRM "$watchdog"
kill -CONT "$watchdog"
own=$code
outcome "$watchdog"
ended=$code
# Bash loses the code of one that ends as a signal cuts its wait for another short, and says -1. The watchdog's name was the same code;
# where it had gone before that was read, what time it is tells as much of an end that was not moved.
if [ "$ended" -lt 0 ]; then
  [ "$why" ] || ask_time
  [ "$why" ] || [ "${now:-0}" -lt "$deadline" ] || why=0
  [ "$why" != 0 ] || [ "${now:-0}" -lt "$hard" ] || why=3
  ended=$why
fi
spare=$over
finish
wait
[ "$over" ] && [ -z "$held" ] || exit "$own"
case $ended in
0)
  note "ended at its deadline"
  exit 124
  ;;
4)
  note "ended for nobody used it"
  exit 124
  ;;
3)
  note "ended at its hard deadline"
  exit 124
  ;;
1) note "ended before its deadline, as asked" ;;
*) note "ended before its deadline, for its watchdog was lost" ;;
esac
exit 143
