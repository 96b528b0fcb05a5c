# What the wrapper does when its command has ended, of a session that keeps files: it keeps the container until the operator has read
# them. Only such a session has it in its script.

# hold_files ends what the command has left running, which could change the files, and waits for as long as hold says, until the
# operator lets go, by a SIGUSR1, or the end comes. The watchdog watches on. The exit code stays the command's.
hold_files() {
  own=$code held=1 let_go= holder=
  trap 'let_go=1; kill -KILL "$holder"' USR1 TERM
  trap '' HUP INT QUIT USR2
  spare=1
  for round in 1 2 3; do
    scan
    for pid in $mine; do
      [ "$pid" = "$watchdog" ] && continue
      case "$all " in *" $pid:$watchdog "*) continue ;; esac
      kill -KILL "$pid"
    done
  done
  sleep "$hold" &
  holder=$!
  # Without a newline, which would be a part of the name. Before it looks for who awaits it, so that who is not found sees it.
  printf %s "holds files" >/proc/self/comm
  spare=
  scan
  for pid in $mine; do
    called "$pid"
    [ "$name" = "awaits files" ] && kill -USR1 "$pid"
  done
  while [ -z "$let_go$over" ] && runs "$holder"; do wait "$holder"; done
  kill -KILL "$holder"
  outcome "$holder"
  code=$own
}
