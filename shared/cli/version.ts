/** The version of this build, from package.json: the only place it is written down. */
import { readFileSync } from 'node:fs';

/** From the sources package.json is two folders up, from the built `dist` three. */
const PLACES = ['../../package.json', '../../../package.json'];

export function readVersion(): string {
  for (const place of PLACES) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as Record<
        string,
        unknown
      >;
      if (name === 'sallyport' && typeof version === 'string') return version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return 'unknown';
}
