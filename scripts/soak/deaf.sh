# Sourced by run: clients that stop reading while they are told things, and what those that read wait for meanwhile.

for argument in "$@"; do
  [[ $argument =~ ^(--(clients|rounds))$|^[0-9]+$ ]] || fail "unknown argument $argument (there are --clients N and --rounds N)"
done

{
  need_runtime_packages
  need_node
  need_app_user
  need_front_end_packages
  cargo build --locked --bins --quiet
} >&2

ulimit -n "$(ulimit -Hn)"
node scripts/soak/deaf.js "$@"
