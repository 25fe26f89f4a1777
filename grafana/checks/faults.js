// Faults that the checks must find: each is made in the sample, which has none.

/**
 * Each: what was done, how, where the complaint must point, whether types or values find it, and
 * which schema does if it is not all of them.
 */
export const FAULTS = [
  {
    fault: 'a key no dashboard has',
    make: (dashboard) => (dashboard.refreshEvery = '1m'),
    path: 'refreshEvery',
    by: 'types',
  },
  {
    fault: 'a wrong type',
    make: (dashboard) => (dashboard.schemaVersion = '39'),
    path: 'schemaVersion',
    by: 'types',
  },
  {
    fault: 'a value that is not in the enum',
    make: ({ panels: [stat] }) => (stat.fieldConfig.defaults.color.mode = 'treshold'),
    path: 'panels[0].fieldConfig.defaults.color.mode',
    by: 'types',
  },
  {
    fault: 'a key no panel has',
    make: ({ panels: [stat] }) => (stat.subtitle = ''),
    path: 'panels[0].subtitle',
    by: 'types',
  },
  {
    fault: 'a key no row has',
    make: ({ panels: [, row] }) => (row.open = true),
    path: 'panels[1].open',
    by: 'types',
  },
  {
    fault: 'a panel no Grafana has',
    make: ({ panels: [stat] }) => (stat.type = 'bignumber'),
    path: 'panels[0].type',
    by: 'types',
  },
  {
    fault: 'a value that is not in the enum of the options',
    make: ({ panels: [stat] }) => (stat.options.graphMode = 'bars'),
    path: 'panels[0].options.graphMode',
    by: 'types',
  },
  {
    fault: 'an option of another panel, in a row',
    make: ({ panels: [, { panels: [graph] }] }) => (graph.options.graphMode = 'area'),
    path: 'panels[1].panels[0].options.graphMode',
    by: 'types',
  },
  {
    fault: 'a misspelt custom field option',
    make: ({ panels: [, { panels: [graph] }] }) => (graph.fieldConfig.defaults.custom.spanNull = 1),
    path: 'panels[1].panels[0].fieldConfig.defaults.custom.spanNull',
    by: 'types',
  },
  {
    fault: 'an override with a value of the wrong type',
    make: ({ panels: [, { panels: [graph] }] }) =>
      (graph.fieldConfig.overrides[0].properties[0].value = 'dash'),
    path: 'panels[1].panels[0].fieldConfig.overrides[0].custom.lineStyle',
    by: 'types',
  },
  {
    fault: 'a key no Prometheus query has',
    make: ({ panels: [stat] }) => (stat.targets[0].expression = stat.targets[0].expr),
    path: 'panels[0].targets[0].expression',
    by: 'types',
    only: 'schema-10.4',
  },
  {
    fault: 'a unit nobody knows',
    make: ({ panels: [stat] }) => (stat.fieldConfig.defaults.unit = 'watts'),
    path: 'panels[0].fieldConfig.defaults.unit',
    by: 'values',
  },
  {
    fault: 'a unit nobody knows, in an override',
    make: ({ panels: [, { panels: [graph] }] }) =>
      graph.fieldConfig.overrides[0].properties.push({ id: 'unit', value: 'wh' }),
    path: 'panels[1].panels[0].fieldConfig.overrides[0].properties[2].value',
    by: 'values',
  },
  {
    fault: 'a reducer nobody knows',
    make: ({ panels: [stat] }) => (stat.options.reduceOptions.calcs = ['last', 'avg']),
    path: 'panels[0].options.reduceOptions.calcs',
    by: 'values',
  },
  {
    fault: 'a reducer nobody knows, in a transformation',
    make: ({ panels: [, , table] }) => (table.transformations[2].options.reducers = ['total']),
    path: 'panels[2].transformations[2].options.reducers',
    by: 'values',
  },
  {
    fault: 'a transformation nobody knows',
    make: ({ panels: [, , table] }) => (table.transformations[0].id = 'mergeSeries'),
    path: 'panels[2].transformations[0].id',
    by: 'values',
  },
  {
    fault: 'a transformation that is forbidden',
    make: ({ panels: [, , table] }) => (table.transformations[0].id = 'transpose'),
    path: 'panels[2].transformations[0].id',
    by: 'values',
  },
  {
    fault: 'a matcher nobody knows',
    make: ({ panels: [, { panels: [graph] }] }) =>
      (graph.fieldConfig.overrides[0].matcher.id = 'byTitle'),
    path: 'panels[1].panels[0].fieldConfig.overrides[0].matcher.id',
    by: 'values',
  },
  {
    fault: 'a filter nobody knows',
    make: ({ panels: [, , table] }) =>
      (table.transformations[1].options.filters[0].config.id = 'greaterThan'),
    path: 'panels[2].transformations[1].options.filters[0].config.id',
    by: 'values',
  },
  {
    fault: 'a colour nobody knows',
    make: ({ panels: [stat] }) =>
      (stat.fieldConfig.defaults.thresholds.steps[0].color = 'ultra-green'),
    path: 'panels[0].fieldConfig.defaults.thresholds.steps[0].color',
    by: 'values',
  },
];
