#!/usr/bin/env node
// The certificate authority. See citadel/main.ts for the program, bin/launch.js for how it finds its Node.
import { launch } from './launch.js';

await launch('citadel');
