# What the watchdog needs to see that nobody uses the terminal. Only a session that ends for that has it in its script.

# warn_idle tells them that it ends for they do not use it.
warn_idle() {
  noticed=1
  count_time "$rest"
  tell 'nobody uses this session, and it ends in %d %s; press Enter to keep it' "$count" "$unit"
}

# look sets rest to how many seconds the container may stay unused until that is too long. It is in use when somebody has typed or
# something was printed, which the kernel notes as the times of the terminal, in steps of eight seconds; and while something else has
# the terminal than a shell that waits, or runs by kubectl exec. What cannot be seen is taken for use.
look() {
  touched=$(stat -c '%X %Y' /dev/console)
  if [ "$ours" ]; then
    # What the watchdog writes is no use. If it leaves no trace, what others write might not either.
    ours=
    [ "$touched" != "$used" ] && [ "${touched% *}" = "${used% *}" ] && used=$touched || used=
  fi
  clock
  up=${up%.*}
  [ "$touched" ] && [ "$touched" = "$used" ] && at_prompt || used=$touched since=$up noticed=
  rest=$((since + idle + 8 - up))
}

# at_prompt reports whether nothing but a shell has the terminal, and nothing else was started from outside.
at_prompt() {
  { IFS= read -r stat <"/proc/$$/stat"; } || return
  set -- ${stat##*) }
  front=$6 shell=
  for dir in /proc/[0-9]*; do
    { IFS= read -r stat <"$dir/stat"; } || continue
    pid=${dir#/proc/}
    name=${stat#*\(}
    name=${name%)*}
    set -- ${stat##*) }
    case "$pid $2 " in "$$ "* | "$self "* | *" $self ") continue ;; esac
    case $1 in Z | X) continue ;; esac
    case $2 in 0 | "$PPID") [ "$dir/ns/mnt" -ef /proc/self/ns/mnt ] && return 1 ;; esac
    [ "$3" = "$front" ] || continue
    [ "$shell" ] && return 1
    case $name in
    sh | ash | bash | dash | fish | ksh | ksh93 | mksh | oksh | rbash | yash | zsh | busybox | toybox) shell=$pid ;;
    *) return 1 ;;
    esac
  done
  [ "$shell" ]
}
