// Summaries of samples. Means are left out on purpose: one interruption moves them.

/** The value that this share of the samples does not exceed (nearest rank). */
export function quantile(samples, share) {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function summary(samples) {
  return {
    n: samples.length,
    min: rounded(quantile(samples, 0)),
    p50: rounded(quantile(samples, 0.5)),
    p90: rounded(quantile(samples, 0.9)),
    p99: rounded(quantile(samples, 0.99)),
  };
}

export function rounded(number) {
  return Math.round(number * 1000) / 1000;
}
