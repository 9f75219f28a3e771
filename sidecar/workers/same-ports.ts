/** The settings of a worker that opens what another one has opened already. Pure. */
import type { ListenAddress } from '../../shared/process/listen-address.ts';
import type { Bound, BoundPorts } from '../listeners/data-plane.ts';

interface WithPorts {
  readonly inbound: readonly { readonly name: string; readonly listen?: string | undefined }[];
  readonly outbound: readonly { readonly name: string; readonly listen: string }[];
  readonly tunnel: { readonly listen: string };
}

/** Every port 0 becomes the one that is in use. */
export function onBoundPorts<S extends WithPorts>(settings: S, { inbound, outbound, tunnel }: BoundPorts): S {
  const at = <L extends { readonly name: string }>(bound: Bound, listener: L): L => {
    const address = bound[listener.name];
    return address ? { ...listener, listen: textOf(address) } : listener;
  };
  return {
    ...settings,
    inbound: settings.inbound.map((listener) => at(inbound, listener)),
    outbound: settings.outbound.map((listener) => at(outbound, listener)),
    tunnel: tunnel ? { ...settings.tunnel, listen: textOf(tunnel) } : settings.tunnel,
  };
}

function textOf({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
