// A run as data: what stood in the model before and after each pass. See history.schema.json.

// How far an output is from the source's; null stands for no number, which is farther than any.
const apart = (row) => row.max_abs ?? Infinity;

class Run {
  constructor(data) {
    this.data = data;
    this.lines = data.lines;
    this.passes = data.passes;
    this.distances = new Map();
    for (const row of data.trace ?? []) {
      const worst = this.distances.get(row.index);
      if (!worst || apart(row) > apart(worst)) this.distances.set(row.index, row);
    }
  }

  // How far each output was from the source's after a pass.
  distancesAfter(pass) {
    return (this.data.trace ?? []).filter((row) => row.index === pass.index);
  }

  // Passes that changed something.
  changed() {
    return this.passes.filter((pass) => pass.hunks.length > 0);
  }

  // The model after the first `count` passes.
  state(count) {
    const standing = new Map(this.data.source.map((part) => [part.scope, [...part.lines]]));
    for (const pass of this.passes.slice(0, count)) {
      for (const hunk of pass.hunks) {
        const gone = new Map();
        for (const [sign, number] of hunk.lines)
          if (sign === "-") gone.set(number, (gone.get(number) ?? 0) + 1);
        const kept = (standing.get(hunk.scope) ?? []).filter((number) => {
          const left = gone.get(number) ?? 0;
          if (left) gone.set(number, left - 1);
          return !left;
        });
        for (const [sign, number] of hunk.lines) if (sign === "+") kept.push(number);
        standing.set(hunk.scope, kept);
      }
    }
    return new State(this.lines, standing);
  }

  // Numbers of the node lines a pass took away ("-") or brought ("+"), with their scopes.
  touched(pass, sign) {
    const found = [];
    for (const hunk of pass.hunks)
      for (const [mark, number] of hunk.lines)
        if (mark === sign && this.lines[number].kind === "node")
          found.push({ number, scope: hunk.scope });
    return found;
  }

  // Whether a pass changed or spoke of something that fits the filter.
  concerns(pass, filter) {
    if (filter.pass && !pass.spec.toLowerCase().includes(filter.pass)) return false;
    if (!filter.operator && !filter.name) return true;
    const lines = pass.hunks.flatMap((hunk) =>
      hunk.lines.filter(([sign]) => sign !== " ").map(([, number]) => this.lines[number]),
    );
    const fits = (line) =>
      (!filter.operator || line.op === filter.operator) &&
      (!filter.name || line.text.toLowerCase().includes(filter.name) ||
        (line.label ?? "").toLowerCase().includes(filter.name));
    if (lines.some(fits)) return true;
    return !filter.operator && pass.remarks.some((remark) =>
      remark.where.some((place) => place.toLowerCase().includes(filter.name)));
  }

  // Remarks about any of these nodes, each reason once for each of them, in order of the passes.
  remarksAt(lines) {
    const names = new Set(lines.flatMap((line) => [line.label, ...line.outputs]).filter(Boolean));
    const found = new Map();
    for (const pass of this.passes)
      for (const remark of pass.remarks)
        for (const where of remark.where)
          if (names.has(where)) {
            const key = [remark.kind, remark.rule, remark.why, where].join("\n");
            if (!found.has(key)) found.set(key, { pass, remark, where });
          }
    return [...found.values()];
  }

  // Every operator that ever stood in the model, in alphabetical order.
  operators() {
    return [...new Set(this.lines.filter((line) => line.op).map((line) => line.op))].sort();
  }

  // What is known of a node: passes that took it away or brought it, and remarks about it.
  story(line) {
    const results = new Set(line.outputs.filter(Boolean));
    const events = [];
    for (const pass of this.passes) {
      for (const remark of pass.remarks)
        if (remark.where.some((place) => place === line.label || results.has(place)))
          events.push({ pass, kind: remark.kind, text: [remark.rule, remark.why].filter(Boolean).join(": ") });
      for (const hunk of pass.hunks)
        for (const [sign, number] of hunk.lines)
          if (sign !== " " && this.lines[number].outputs?.some((name) => results.has(name)))
            events.push({ pass, kind: sign === "+" ? "added" : "removed", text: this.lines[number].text });
    }
    return events;
  }
}

// The main graph and its subgraphs see each other's values; functions have names of their own.
const isFunction = (scope) => /^(nodes of )?function /.test(scope);
const valueKey = (scope, name) => `${scope}\n${name}`;
const SHARED = "";

// Readers of one value that are drawn.
const MOST_READERS = 4;

// What stands in the model at one moment, and who makes and reads each value.
class State {
  constructor(lines, standing) {
    this.lines = lines;
    this.standing = standing;
    this.scopes = new Map();
    this.makers = new Map();
    this.users = new Map();
    for (const [scope, numbers] of standing)
      for (const number of numbers) {
        const line = lines[number];
        if (line.kind !== "node") continue;
        this.scopes.set(number, scope);
        // Two branches may use one name, so a scope is asked before what is around it.
        for (const where of isFunction(scope) ? [scope] : [scope, SHARED]) {
          for (const name of line.outputs) if (name) this.makers.set(valueKey(where, name), number);
          for (const name of new Set(line.inputs)) {
            if (!name) continue;
            const known = this.users.get(valueKey(where, name));
            if (known) known.push(number);
            else this.users.set(valueKey(where, name), [number]);
          }
        }
      }
  }

  // The node that makes a value which is read in a scope.
  maker(scope, name) {
    if (!name) return undefined;
    const own = this.makers.get(valueKey(scope, name));
    return own !== undefined || isFunction(scope) ? own : this.makers.get(valueKey(SHARED, name));
  }

  // The nodes that read a value which is made in a scope, there or inside of it.
  readers(scope, name) {
    if (isFunction(scope)) return this.users.get(valueKey(scope, name)) ?? [];
    const all = this.users.get(valueKey(SHARED, name)) ?? [];
    return all.filter((number) => this.maker(this.scopes.get(number), name) === this.maker(scope, name));
  }

  // How many nodes there are of each operator.
  histogram() {
    const counts = new Map();
    for (const numbers of this.standing.values())
      for (const number of numbers) {
        const { op } = this.lines[number];
        if (op) counts.set(op, (counts.get(op) ?? 0) + 1);
      }
    return counts;
  }

  // The nodes `numbers` and what makes their inputs and reads their results, with the edges.
  around(numbers, scope, limit) {
    const nodes = new Set(numbers.slice(0, limit));
    for (const number of [...nodes]) {
      const line = this.lines[number];
      const home = this.scopes.get(number) ?? scope;
      const near = [
        ...line.inputs.map((name) => this.maker(home, name)),
        ...line.outputs.filter(Boolean).flatMap((name) => this.readers(home, name).slice(0, MOST_READERS)),
      ];
      for (const other of near) if (other !== undefined && nodes.size < 2 * limit) nodes.add(other);
    }
    const edges = [];
    for (const number of nodes)
      this.lines[number].inputs.forEach((name) => {
        const from = this.maker(this.scopes.get(number) ?? scope, name);
        if (from !== undefined && from !== number && nodes.has(from)) edges.push({ from, to: number, name });
      });
    return { nodes: [...nodes], edges, left: Math.max(0, numbers.length - limit) };
  }
}

// A value with more readers than this joins nothing: shared tables would make all layers one place.
const MOST_JOINED = 6;

// Things that hang together: of each, which group it is in.
class Groups {
  constructor() {
    this.parent = new Map();
  }

  find(key) {
    while (this.parent.get(key) !== key) {
      this.parent.set(key, this.parent.get(this.parent.get(key)));
      key = this.parent.get(key);
    }
    return key;
  }

  join(one, other) {
    for (const key of [one, other]) if (!this.parent.has(key)) this.parent.set(key, key);
    this.parent.set(this.find(one), this.find(other));
  }
}

// What the values at changed nodes are known by. Two branches may use one name for two values, and
// a value that moves to another graph keeps its name.
function valueKeys(lines, items) {
  const homes = new Map();
  for (const item of items)
    for (const name of lines[item.number].outputs) {
      const known = homes.get(item.sign + name);
      if (known) known.add(item.scope);
      else if (name) homes.set(item.sign + name, new Set([item.scope]));
    }
  const isShared = (name) => ["-", "+"].every((sign) => (homes.get(sign + name)?.size ?? 0) < 2);
  return (item, name) => valueKey(isFunction(item.scope) || !isShared(name) ? item.scope : SHARED, name);
}

// The changes of a pass that hang together: nodes joined by values that only they touch.
function places(run, pass) {
  const items = ["-", "+"].flatMap((sign) => run.touched(pass, sign).map((item) => ({ ...item, sign })));
  const keyOf = valueKeys(run.lines, items);
  const made = new Set();
  const readers = new Map();
  for (const item of items) {
    const { inputs, outputs } = run.lines[item.number];
    for (const name of outputs) if (name) made.add(keyOf(item, name));
    for (const name of inputs) {
      const key = item.sign + keyOf(item, name);
      readers.set(key, (readers.get(key) ?? 0) + 1);
    }
  }
  const joins = (key) => made.has(key) && ["-", "+"].every((sign) => (readers.get(sign + key) ?? 0) <= MOST_JOINED);
  const groups = new Groups();
  for (const item of items) {
    const { inputs, outputs } = run.lines[item.number];
    item.key = `${item.sign}${item.number}\n${item.scope}`;
    groups.join(item.key, item.key);
    for (const name of [...outputs, ...inputs]) {
      const key = keyOf(item, name);
      if (name && joins(key)) groups.join(item.key, key);
    }
  }
  const found = new Map();
  for (const item of items) {
    const root = groups.find(item.key);
    if (!found.has(root)) found.set(root, { scope: item.scope, before: [], after: [] });
    found.get(root)[item.sign === "-" ? "before" : "after"].push(item.number);
  }
  return [...found.values()];
}
