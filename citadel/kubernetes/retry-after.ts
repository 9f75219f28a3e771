/** RFC 9110 §10.2.3: how long a server asks us to stay away, in seconds or as a date. Pure. */

/** RFC 9110 §5.6.7, the one form that senders may use. Date.parse alone takes almost anything for a date. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * @param now milliseconds since the Unix epoch
 * @returns milliseconds, or undefined when the header says nothing that can be followed
 */
export function retryAfterMs(header: string | string[] | undefined, now: number): number | undefined {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
