// Dashboard variables, each with its first choice.

const VARIABLE = /\$(\w+)|\$\{(\w+)(?::\w+)?\}/g;

/** What the names after a dollar stand for. */
export class Variables {
  constructor(dashboard) {
    this.values = {};
    for (const { name, includeAll, allValue, current, query } of dashboard.templating?.list ?? []) {
      const value = includeAll ? (allValue ?? '.*') : (current?.value ?? query);
      if (typeof value === 'string') this.values[name] = value;
    }
  }

  /** The text with its variables replaced; names that are not known stay. */
  replace(text, more = {}) {
    const values = { ...this.values, ...more };
    return text.replace(VARIABLE, (whole, plain, braced) => values[plain ?? braced] ?? whole);
  }
}
