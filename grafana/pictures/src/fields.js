// The data frames of a panel as its JSON shapes them: transformations, then field configuration.

import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  FieldConfigOptionsRegistry,
  standardTransformers,
  standardTransformersRegistry,
  thresholdsOverrideProcessor,
  transformDataFrame,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';

const STANDARD = [
  ...['color', 'decimals', 'description', 'displayName', 'filterable', 'links', 'mappings', 'max'],
  ...['min', 'noValue', 'unit'],
];

/** What Grafana's plug-ins take where the JSON says nothing. */
const CUSTOM = {
  timeseries: {
    axisBorderShow: false,
    axisPlacement: 'auto',
    barWidthFactor: 0.6,
    drawStyle: 'line',
    fillOpacity: 0,
    lineWidth: 1,
    pointSize: 5,
    scaleDistribution: { type: 'linear' },
    showPoints: 'auto',
  },
  table: { align: 'auto', cellOptions: { type: 'auto' } },
};

standardTransformersRegistry.setInit(() => {
  // One of them is in there twice.
  const byId = new Map(Object.values(standardTransformers).map((one) => [one.id, one]));
  return [...byId.values()].map((one) => ({
    id: one.id,
    name: one.name,
    transformation: () => Promise.resolve(one),
  }));
});

/** The frames, transformed, each field with its configuration and its way to show a value. */
export async function shaped(panel, frames, theme, variables) {
  const transformations = panel.transformations ?? [];
  const transformed = await firstValueFrom(transformDataFrame(transformations, frames));
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  const custom = { ...CUSTOM[panel.type], ...defaults.custom };
  const shown = applyFieldOverrides({
    data: transformed,
    fieldConfig: { defaults: { ...defaults, custom }, overrides },
    fieldConfigRegistry: registry(custom, overrides),
    replaceVariables: (text) => variables.replace(text),
    theme,
    timeZone: 'browser',
  });
  cacheFieldDisplayNames(shown); // a table shows nothing but these
  return shown;
}

/** Every property in this panel: a list that plug-ins bring and no package has. */
function registry(custom, overrides) {
  const overridden = overrides.flatMap(({ properties }) => properties.map(({ id }) => id));
  const customIds = new Set([
    ...Object.keys(custom).map((key) => `custom.${key}`),
    ...overridden.filter((id) => id.startsWith('custom.')),
  ]);
  const item = (id, more) => ({
    id,
    path: id,
    process: (value) => value,
    shouldApply: () => true,
    ...more,
  });
  return new FieldConfigOptionsRegistry(() => [
    ...STANDARD.map((id) => item(id)),
    item('thresholds', { process: thresholdsOverrideProcessor }),
    ...[...customIds].map((id) => item(id, { path: id.slice('custom.'.length), isCustom: true })),
  ]);
}
