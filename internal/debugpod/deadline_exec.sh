# What the scripts share that are run by exec.

# tick lets a second go by. Whoever runs this writes a line a second to its input: a process that was started to sleep would be
# left to the target, dead and unreaped, when the container ends beside it. Without that it watches the clock.
tick() {
  read -r line && return
  clock
  awake=$later
  while [ "$time" -lt "$awake" ]; do clock; done
}
