/** Opens the authority in the folder that is its argument and prints its roots: a second process for tests. */
import { openAuthority } from '../../citadel/authority/open-authority.ts';
import { systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import { silentLog } from '../../shared/log/log.ts';

const directory = process.argv[2] ?? '';
const keeper = await openAuthority({
  directory,
  trustDomain: 'cluster.local',
  clock: systemClock,
  randomness: systemRandomness,
  log: silentLog,
});
process.stdout.write(keeper.current().rootPem.join(''));
