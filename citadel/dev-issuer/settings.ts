/** Every setting of `citadel dev-issuer` with its default, its unit and its bounds. It only describes. */
import { z } from 'zod';
import type { SettingsSpec } from '../../shared/config/settings.ts';
import { parseListenAddress } from '../../shared/process/listen-address.ts';

const text = (description: string) => z.string().min(1).meta({ description });
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
  expired: z.boolean().default(false).meta({ description: 'Write a token that has expired, to see it refused.' }),
});

const schema = z.strictObject({
  listen: z
    .string()
    .refine((value) => parseListenAddress(value) !== undefined, 'expected host:port, for example 127.0.0.1:15080')
    .default('127.0.0.1:15080')
    .meta({ description: 'Address of the discovery document and the key set (plain HTTP).' }),
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
  tokenSeconds: z
    .int()
    .min(5)
    .max(86_400)
    .default(3600)
    .meta({ description: 'Lifetime of a token, seconds. It is replaced at 80 % of it.' }),
  audience: text('The one audience of every token.').default('citadel'),
  algorithm: z
    .enum(['ES256', 'RS256'])
    .default('ES256')
    .meta({ description: 'How tokens are signed: ES256 or RS256.' }),
  keyFile: text('File for the signing key; created when missing. Default: a new key at each start.').optional(),
  workloads: z
    .array(workload)
    .min(1)
    .max(1000)
    .default([{ namespace: 'default', serviceAccount: 'default', expired: false }])
    .meta({ description: 'Who gets a token: a list of {namespace, serviceAccount, directory, expired}.' }),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .meta({ description: 'Least level that is logged.' }),
      format: z
        .enum(['auto', 'json', 'text'])
        .default('auto')
        .meta({ description: 'Form of log lines; auto is text on a terminal and JSON elsewhere.' }),
    })
    .prefault({}),
});

export type DevIssuerSettings = z.output<typeof schema>;

export const devIssuerSpec: SettingsSpec<typeof schema> = { prefix: 'DEV_ISSUER', schema };
