#!/usr/bin/env node
// The proxy beside an app. See sidecar/main.ts for the program, bin/launch.js for how it finds its Node.
import { launch } from './launch.js';

await launch('sidecar');
