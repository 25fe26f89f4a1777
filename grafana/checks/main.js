// node main.js DIRECTORY: check the dashboards in a directory against Grafana's own packages.
//
// The checks first show that they find what they must. Status 1: a dashboard has a fault; 2: there
// is none to check, or a check is blind.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAULTS } from './faults.js';
import { SCHEMAS, typeComplaints } from './types.js';
import { valueComplaints } from './values.js';

const SAMPLE = new URL('sample.json', import.meta.url);

const [directory] = process.argv.slice(2);
const listed = directory && existsSync(directory) ? readdirSync(directory) : [];
const files = listed.filter((file) => file.endsWith('.json')).sort();
if (files.length === 0) {
  console.error(`Expected a directory with dashboards (*.json), got ${directory ?? 'nothing'}.`);
  process.exit(2);
}
const dashboards = files.map((file) => ({ file, dashboard: read(join(directory, file)) }));
const sample = { file: 'no fault', dashboard: read(SAMPLE) };
const faulty = FAULTS.map(({ fault, make }) => {
  const dashboard = read(SAMPLE);
  make(dashboard);
  return { file: fault, dashboard };
});

const all = [sample, ...faulty, ...dashboards];
const rounds = SCHEMAS.map((schema) => [schema, 'types', typeComplaints(schema, all)]);
rounds.push(['@grafana/data', 'values', all.flatMap(valuesOf)]);

const blind = rounds.flatMap(([name, by, complaints]) => [...blindness(name, by, complaints)]);
if (blind.length > 0) {
  console.error(blind.join('\n'));
  process.exit(2);
}
const faults = rounds.flatMap(([name, , complaints]) =>
  complaints
    .filter(({ file }) => files.includes(file))
    .map(({ file, path, message }) => `${file}: ${path}: ${message} (${name})`),
);
for (const fault of faults) console.error(fault);
const names = rounds.map(([name]) => name).join(', ');
console.log(`Dashboards: ${files.length}, faults: ${faults.length}, by ${names}.`);
process.exitCode = faults.length > 0 ? 1 : 0;

function read(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function valuesOf({ file, dashboard }) {
  return [...valueComplaints(dashboard)].map((complaint) => ({ file, ...complaint }));
}

/** What a check says about the sample, or does not say about a fault. */
function* blindness(name, by, complaints) {
  for (const { file, path, message } of complaints) {
    if (file === sample.file) yield `${name} finds a fault in the sample: ${path}: ${message}`;
  }
  for (const { fault, path, by: finder, only = name } of FAULTS) {
    if (by !== finder || only !== name) continue;
    const found = complaints.filter(({ file }) => file === fault).map((found) => found.path);
    if (!found.includes(path)) {
      yield `${name} does not find ${fault} at ${path}, only at: ${found.join(', ') || 'no place'}`;
    }
  }
}
