/** Every setting of `citadel dev-issuer` with its default, its unit and its bounds. It only describes. */
import { z } from 'zod';
import { address, choice, flag, logFormat, logLevel, text, whole } from '../../shared/config/fields.ts';
import type { SettingsSpec } from '../../shared/config/settings.ts';

/** Kubernetes' grammar for names: it also keeps a name from leaving its directory. */
const name = (description: string) =>
  z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'expected 1 to 63 lower-case letters, digits and dashes')
    .meta({ description });

const workload = z.strictObject({
  namespace: name('Namespace of the workload.'),
  serviceAccount: name('Service account of the workload.'),
  directory: text('Folder for its token file; default: <directory>/<namespace>/<serviceAccount>.').optional(),
  expired: flag(false, 'Write a token that has expired, to see it refused.'),
});

const schema = z.strictObject({
  listen: address('Address of the discovery document and the key set (plain HTTP).', '127.0.0.1:15080').default(
    '127.0.0.1:15080',
  ),
  issuer: z
    .string()
    .refine(
      (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol) && !value.endsWith('/'),
      'expected an http(s) URL without a slash at its end',
    )
    .optional()
    .meta({
      description:
        'The `iss` claim of tokens: the URL at which citadel reaches this issuer. Default: http:// and the address listened on.',
    }),
  directory: text('Folder under which token files are written.').default('dev-tokens'),
  tokenSeconds: whole(5, 86_400, 3600, 'Lifetime of a token, seconds. It is replaced at 80 % of it.'),
  audience: text('The one audience of every token.').default('citadel'),
  algorithm: choice(['ES256', 'RS256'], 'ES256', 'How tokens are signed.'),
  keyFile: text('File for the signing key; created when missing. Default: a new key at each start.').optional(),
  workloads: z
    .array(workload)
    .min(1)
    .max(1000)
    .default([{ namespace: 'default', serviceAccount: 'default', expired: false }])
    .meta({ description: 'Who gets a token: a list of {namespace, serviceAccount, directory, expired}.' }),
  log: z
    .strictObject({
      level: logLevel('Least level that is logged.'),
      format: logFormat(),
    })
    .prefault({}),
});

export type DevIssuerSettings = z.output<typeof schema>;

export const devIssuerSpec: SettingsSpec<typeof schema> = { prefix: 'DEV_ISSUER', schema };
