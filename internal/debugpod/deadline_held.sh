# What the commands share that the operator runs in a container for its files, after deadline_processes.sh.

# held reports whether the wrapper holds the container for its files, and sets holder to it.
held() {
  scan
  for holder in $mine; do
    called "$holder"
    [ "$name" = "holds files" ] && return
  done
  return 1
}
