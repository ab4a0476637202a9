# Sourced by run: each fault many times under live viewers in Chromium; prints and saves the time to recover.

rounds=20
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=${2:?a number} && shift 2 ;;
    *) fail "unknown argument $1 (there is only --rounds N)" ;;
  esac
done

{
  need_runtime_packages
  need "browser tests" chromium sqlite3
  need_node
  need_app_user
  need_front_end_packages
  cargo build --locked --bins --quiet
} >&2

results=${CARGO_TARGET_DIR:-$repository/target}/soak/faults.jsonl
mkdir -p "$(dirname "$results")"
rm -f "$results"
status=0

# suffer ROUNDS FILE...
suffer() (
  cd tests
  HELIOSTAT_FAULT_ROUNDS=$1 HELIOSTAT_FAULT_REPORT=$results HELIOSTAT_DATABASE_AWAY_MS=60000 \
    node --test --test-concurrency=1 --test-reporter=spec "${@:2}" >&2
)

suffer "$rounds" browser/faults.test.js browser/faults-host.test.js browser/faults-socket.test.js || status=$?
# What hits the same host or the same actors again and again uses their budgets up: these have a new host each three times.
for ((done = 0; done < rounds; done += 3)); do
  suffer 9 browser/faults-actors.test.js || status=$?
  suffer 3 browser/faults-disk.test.js browser/faults-store.test.js || status=$?
done
node scripts/soak/recovery.js "$results" | tee "${results%.jsonl}.md"
exit "$status"
