/** Which configuration a container of a rendered manifest is started with. */
import { readProgramLine } from './program-line.ts';
import type { ConfigMap, Container, PodSpec, Rendered } from './rendered.ts';

/** @throws {Error} when its command line or its mounts do not lead to one */
export function configOf(rendered: Rendered, pod: PodSpec, container: Container): string {
  const { configFile } = readProgramLine([...(container.command ?? []), ...(container.args ?? [])]);
  const mount = container.volumeMounts?.find(({ mountPath }) => configFile.startsWith(`${mountPath}/`));
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  const text = rendered.one<ConfigMap>('ConfigMap', volume!.configMap!.name).data[
    configFile.slice(mount!.mountPath.length + 1)
  ];
  if (text === undefined) throw new Error(`${configFile} is not in the ConfigMap`);
  return text;
}
