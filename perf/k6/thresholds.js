// Thresholds that cannot pass without traffic. k6 counts a threshold on a metric without samples as passed, and a run in
// which every iteration throws as a good one: so least counts stand beside every rate. Durations have none: whether k6
// or something else on the machine made them long is not for k6 to say.

export function thresholds(profile) {
  return {
    iterations: [`count>=${profile.minimum_answers}`],
    http_reqs: [`count>=${profile.minimum_answers}`],
    answers: [`count>=${profile.minimum_answers}`],
    checks: [`rate>=${profile.passed_rate}`],
    http_req_failed: [`rate<=${profile.failed_rate}`],
  };
}
