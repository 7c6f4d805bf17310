// Bars of requests with the errors among them in front, from the same ground and on the same scale.

const LEAST_PX = 3;
const LEAST_SHARE = 1 / 15; // of the whole height, where that is small
const LEAST_ERROR_PX = 2;

/**
 * Heights in pixels, where `highest` calls are `height` high. Whatever is more than nothing is seen; but errors are never
 * higher than the requests that they are among, and as high only when all failed.
 */
export function barHeights(requests, errors, highest, height) {
  const least = Math.min(LEAST_PX, height * LEAST_SHARE);
  const tall = requests.map((value) => (value ? Math.max((value / highest) * height, least) : 0));
  const failed = errors.map((value, i) => {
    if (!value) return 0;
    return Math.max((value / requests[i]) * tall[i], Math.min(LEAST_ERROR_PX, tall[i] / 3));
  });
  return { requests: tall, errors: failed };
}

/** The path of bars of these heights; `box` is {left, top, width, height}. */
export function barsPath(heights, box) {
  const slot = box.width / heights.length;
  const width = Math.min(slot > 4 ? slot - 1.5 : slot, 28);
  const bottom = box.top + box.height;
  return heights
    .map((height, i) => {
      if (!height) return '';
      const x = box.left + i * slot + (slot - width) / 2;
      return `M${x.toFixed(1)} ${bottom}v${-height.toFixed(1)}h${width.toFixed(1)}V${bottom}z`;
    })
    .join('');
}
