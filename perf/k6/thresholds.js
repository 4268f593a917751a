// Thresholds that cannot pass without traffic. k6 counts a threshold on a metric without samples as passed, and a run in
// which every iteration throws as a good one: so least counts stand beside every rate and every duration.

export function thresholds(profile) {
  const table = {
    iterations: [`count>=${profile.minimum_answers}`],
    http_reqs: [`count>=${profile.minimum_answers}`],
    answers: [`count>=${profile.minimum_answers}`],
    checks: [`rate>=${profile.passed_rate}`],
    http_req_failed: [`rate<=${profile.failed_rate}`],
  };
  for (const [kind, limit] of Object.entries(profile.p95_milliseconds)) {
    table[`duration_${kind}`] = [`p(95)<=${limit}`];
  }
  for (const [kind, limit] of Object.entries(profile.p99_milliseconds)) {
    table[`duration_${kind}`] = [...(table[`duration_${kind}`] || []), `p(99)<=${limit}`];
  }
  return table;
}
