// A run as data: what stood in the model before and after each pass. See history.schema.json.

class Run {
  constructor(data) {
    this.data = data;
    this.lines = data.lines;
    this.passes = data.passes;
    this.distances = new Map();
    for (const row of data.trace ?? []) {
      const worst = this.distances.get(row.index);
      if (!worst || !(row.max_abs <= worst.max_abs)) this.distances.set(row.index, row);
    }
  }

  // Passes that changed something or said something, or all of them.
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

// Functions have names of their own; the graph and its subgraphs share theirs.
const space = (scope) => (scope.startsWith("function ") ? `${scope}\n` : "");

// What stands in the model at one moment, and who makes and reads each value.
class State {
  constructor(lines, standing) {
    this.lines = lines;
    this.standing = standing;
    this.producers = new Map();
    this.readers = new Map();
    for (const [scope, numbers] of standing)
      for (const number of numbers) {
        const line = lines[number];
        if (line.kind !== "node") continue;
        const prefix = space(scope);
        for (const name of line.outputs) if (name) this.producers.set(prefix + name, number);
        for (const name of line.inputs) {
          if (!name) continue;
          const known = this.readers.get(prefix + name);
          if (known) known.push(number);
          else this.readers.set(prefix + name, [number]);
        }
      }
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
    const prefix = space(scope);
    const nodes = new Set(numbers.slice(0, limit));
    for (const number of [...nodes]) {
      const line = this.lines[number];
      const near = [
        ...line.inputs.map((name) => this.producers.get(prefix + name)),
        ...line.outputs.flatMap((name) => (this.readers.get(prefix + name) ?? []).slice(0, 4)),
      ];
      for (const other of near) if (other !== undefined && nodes.size < 2 * limit) nodes.add(other);
    }
    const edges = [];
    for (const number of nodes)
      this.lines[number].inputs.forEach((name) => {
        const from = name ? this.producers.get(prefix + name) : undefined;
        if (from !== undefined && from !== number && nodes.has(from)) edges.push({ from, to: number, name });
      });
    return { nodes: [...nodes], edges, left: Math.max(0, numbers.length - limit) };
  }
}

// A value with more readers than this joins nothing: shared tables would make all layers one place.
const MOST_JOINED = 6;

// The changes of a pass that hang together: nodes joined by values that only they touch.
function places(run, pass) {
  const parent = new Map();
  const find = (key) => {
    while (parent.get(key) !== key) {
      parent.set(key, parent.get(parent.get(key)));
      key = parent.get(key);
    }
    return key;
  };
  const join = (one, other) => {
    for (const key of [one, other]) if (!parent.has(key)) parent.set(key, key);
    parent.set(find(one), find(other));
  };
  const removed = run.touched(pass, "-");
  const added = run.touched(pass, "+");
  const all = [...removed.map((item) => ({ ...item, sign: "-" })), ...added.map((item) => ({ ...item, sign: "+" }))];
  const made = new Set();
  const readers = new Map();
  for (const item of all) {
    const { inputs, outputs } = run.lines[item.number];
    for (const name of outputs) if (name) made.add(space(item.scope) + name);
    for (const name of inputs) {
      const key = item.sign + space(item.scope) + name;
      readers.set(key, (readers.get(key) ?? 0) + 1);
    }
  }
  const joins = (item, name) => {
    const key = space(item.scope) + name;
    return name && made.has(key) && Math.max(readers.get(`-${key}`) ?? 0, readers.get(`+${key}`) ?? 0) <= MOST_JOINED;
  };
  for (const item of all) {
    const line = run.lines[item.number];
    const own = `${item.sign}${item.number}\n${item.scope}`;
    item.key = own;
    join(own, own);
    for (const name of [...line.outputs, ...line.inputs])
      if (joins(item, name)) join(own, space(item.scope) + name);
  }
  const groups = new Map();
  for (const item of all) {
    const root = find(item.key);
    if (!groups.has(root)) groups.set(root, { scope: item.scope, before: [], after: [] });
    groups.get(root)[item.sign === "-" ? "before" : "after"].push(item.number);
  }
  return [...groups.values()];
}
