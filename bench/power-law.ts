/** How cost grows with the work: time = factor × size ^ exponent. */

export interface Point {
  readonly size: number;
  readonly seconds: number;
}

export interface PowerLaw {
  /** 1: twice the work takes twice the time; 2: four times. */
  readonly exponent: number;
  /** Seconds at size 1. */
  readonly factor: number;
}

/**
 * The straight line through the points in logarithms, by least squares.
 * @param points two sizes or more, everything above zero
 */
export function fitPowerLaw(points: readonly Point[]): PowerLaw {
  const logs = points.map(({ size, seconds }) => ({ x: Math.log(size), y: Math.log(seconds) }));
  const meanX = mean(logs.map(({ x }) => x));
  const meanY = mean(logs.map(({ y }) => y));
  const covariance = mean(logs.map(({ x, y }) => (x - meanX) * (y - meanY)));
  const variance = mean(logs.map(({ x }) => (x - meanX) ** 2));
  if (!(variance > 0)) throw new Error("Cannot fit a power law: it takes two different sizes");
  const exponent = covariance / variance;
  return { exponent, factor: Math.exp(meanY - exponent * meanX) };
}

/** The exponent between the two largest sizes, where the time of a start no longer counts. */
export function lastExponent(points: readonly Point[]): number {
  return fitPowerLaw(points.toSorted((a, b) => a.size - b.size).slice(-2)).exponent;
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
