# Peer connections, by two tests of src/peer/tests/soak.rs. Sourced by run, with its arguments.

cycles=2000
rounds=100
while [ $# -gt 0 ]; do
  case $1 in
    --cycles | --rounds)
      [[ ${2:-} =~ ^[0-9]+$ ]] && [ "$2" -gt 0 ] || fail "$1 needs a number above 0"
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    *) fail "unknown argument $1 (there are --cycles N and --rounds N)" ;;
  esac
done

soak() {
  HELIOSTAT_SOAK_CYCLES=$2 cargo test --locked --quiet --lib -- --ignored --exact "peer::tests::soak::$1" --nocapture
}

say "$cycles cycles of connecting, streaming and closing"
soak churn "$cycles"
say "$rounds rounds of closes at every moment"
soak closes "$rounds"
