/** What --keep prints: the URLs of everything that runs and command lines worth trying. Pure. */
import type { MeshPlan } from '../local-mesh/mesh-plan.ts';

export function thingsToTry({ citadel, rootFile, services }: MeshPlan): string {
  const web = services.find(({ name }) => name === 'web')!;
  const ledger = services.find(({ name }) => name === 'ledger')!;
  const rows = services.map(
    ({ name, ports }) =>
      `  ${name.padEnd(8)} app http://127.0.0.1:${ports.app}/  who am I http://127.0.0.1:${ports.admin}/identity  metrics http://127.0.0.1:${ports.metrics}/metrics`,
  );
  const commands: readonly (readonly [string, string])[] = [
    [`curl -s http://127.0.0.1:${web.ports.app}/`, 'the chain, and who each saw calling'],
    [`curl -s http://127.0.0.1:${web.ports.admin}/identity`, 'the certificate in use, never its key'],
    [`curl -s --cacert ${rootFile} ${citadel.url}/v1/bundle`, 'the root that all of them share'],
    [`curl -s http://127.0.0.1:${web.ports.admin}/connections`, 'the tunnel to orders, and how much it carried'],
    [`curl -sS http://127.0.0.1:${ledger.ports.tunnel}/`, "without TLS at ledger's tunnel: cut off"],
    [`curl -sSk https://127.0.0.1:${ledger.ports.tunnel}/`, 'TLS without a certificate: cut off'],
    [
      `curl -s http://127.0.0.1:${ledger.ports.metrics}/metrics | grep ^sidecar_refusals`,
      'and counted, each by its code',
    ],
  ];
  const width = Math.max(...commands.map(([command]) => command.length));
  return `
Everything is still running. Try:

${rows.join('\n')}
  citadel  bundle ${citadel.url}/v1/bundle  metrics http://127.0.0.1:${citadel.healthPort}/metrics

${commands.map(([command, why]) => `  ${command.padEnd(width)}  # ${why}`).join('\n')}

Press Ctrl-C to end everything.`;
}
