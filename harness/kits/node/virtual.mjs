// Virtual time for an adapter in Node: `node --import .../virtual.mjs script.mjs`, started by the harness.
//
// Owns the order in which the platform is replaced. It must be loaded before anything else: who has taken a
// function of the platform before keeps the real one. Nothing of a script is changed; what it may not do fails
// with an error that says so.

import { syncBuiltinESMExports } from 'node:module';

import { installEntropy } from './virtual/entropy.mjs';
import { installLockstep } from './virtual/lockstep.mjs';
import { installNames } from './virtual/names.mjs';
import { installPlatform } from './virtual/platform.mjs';
import { installRefusals } from './virtual/refusals.mjs';
import { installSockets } from './virtual/sockets.mjs';
import { installClocks } from './virtual/time.mjs';
import { installTimers } from './virtual/timers.mjs';

installLockstep();
installClocks();
installTimers();
installEntropy();
installNames();
installSockets();
installPlatform();
installRefusals();
syncBuiltinESMExports();
