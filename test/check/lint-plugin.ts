import { relative, sep } from 'node:path';
import { type ImportHow, wrongImport } from './arrows.ts';

// The project's own rules, run by oxlint as a plugin. Node shapes are ESTree's; only what is read is typed.

type Node = { type: string; [key: string]: unknown };
type Context = { filename: string; cwd: string; report(problem: { node: Node; message: string }): void };
type Visitor = Record<string, (node: never) => void>;
type Rule = { create(context: Context): Visitor };

const pathOf = (context: Context): string => relative(context.cwd, context.filename).split(sep).join('/');
const inProgram = (path: string): boolean => /^(src|storage)\//.test(path);
const isName = (node: Node | undefined, ...names: string[]): boolean =>
  node?.type === 'Identifier' && names.includes(String(node['name']));
const memberName = (node: Node): string | undefined => {
  const property = node['property'] as Node | undefined;
  if (property?.type === 'Literal') return String(property['value']);
  return node['computed'] === true ? undefined : String(property?.['name']);
};

const arrows: Rule = {
  create(context) {
    const file = pathOf(context);
    const look = (node: Node, source: Node | null | undefined, how: ImportHow): void => {
      if (source === null || source === undefined) return;
      const value = source.type === 'Literal' ? String(source['value']) : undefined;
      if (value !== undefined) {
        const wrong = wrongImport(file, value, how);
        if (wrong !== undefined) context.report({ node, message: `${wrong}.` });
      } else if (inProgram(file) && file !== 'src/discover.ts') {
        context.report({
          node,
          message: 'Only src/discover.ts imports by a computed path: nobody could see the arrow.',
        });
      }
    };
    return {
      ImportDeclaration: (node: Node & { source: Node }) => look(node, node.source, 'static'),
      ExportNamedDeclaration: (node: Node & { source: Node | null }) => look(node, node.source, 'static'),
      ExportAllDeclaration: (node: Node & { source: Node }) => look(node, node.source, 'static'),
      ImportExpression: (node: Node & { source: Node }) => look(node, node.source, 'dynamic'),
      TSImportType: (node: Node & { source: Node }) => look(node, node.source, 'static'),
    };
  },
};

const environment: Rule = {
  create(context) {
    const file = pathOf(context);
    if (!inProgram(file) || file === 'src/settings.ts' || file.startsWith('src/sandbox/')) return {};
    const message = 'Only src/settings.ts reads the environment.';
    return {
      MemberExpression(node: Node & { object: Node }) {
        const { object } = node;
        const isProcess =
          isName(object, 'process') || (object.type === 'MemberExpression' && memberName(object) === 'process');
        if (isProcess && memberName(node) === 'env') context.report({ node, message });
      },
      VariableDeclarator(node: Node & { id: Node; init: Node | null }) {
        if (!isName(node.init ?? undefined, 'process') || node.id.type !== 'ObjectPattern') return;
        const properties = node.id['properties'] as Array<Node & { key?: Node }>;
        if (properties.some((one) => isName(one.key, 'env'))) context.report({ node, message });
      },
      ImportDeclaration(node: Node & { source: Node; specifiers: Array<Node & { imported?: Node }> }) {
        if (!/^(node:)?process$/.test(String(node.source['value']))) return;
        if (node.specifiers.some((one) => one.type !== 'ImportSpecifier' || isName(one.imported, 'env'))) {
          context.report({ node, message });
        }
      },
    };
  },
};

const timers = ['setTimeout', 'setInterval', 'setImmediate'];
const clock: Rule = {
  create(context) {
    const file = pathOf(context);
    if (!inProgram(file) || /^src\/(sandbox\/|adapters\/system\/|main\.ts$)/.test(file)) return {};
    const message = 'Only adapters/system reads the clock: take the Clock port.';
    // An adapter may give up waiting for the other side.
    const mayWait = file.startsWith('src/adapters/');
    return {
      CallExpression(node: Node & { callee: Node }) {
        const { callee } = node;
        const member = callee.type === 'MemberExpression' ? memberName(callee) : undefined;
        const object = callee['object'] as Node | undefined;
        const reads =
          isName(callee, 'Date') ||
          (isName(object, 'Date', 'performance') && member === 'now') ||
          (isName(object, 'process') && member === 'hrtime') ||
          (object?.type === 'MemberExpression' &&
            isName(object['object'] as Node, 'Temporal') &&
            memberName(object) === 'Now');
        const waits = isName(callee, ...timers) || (isName(object, 'globalThis') && timers.includes(member ?? ''));
        if (reads || (waits && !mayWait)) context.report({ node, message });
      },
      NewExpression(node: Node & { callee: Node; arguments: Node[] }) {
        if (isName(node.callee, 'Date') && node.arguments.length === 0) context.report({ node, message });
      },
      ImportDeclaration(node: Node & { source: Node }) {
        if (!mayWait && /^(node:)?(timers|perf_hooks)(\/|$)/.test(String(node.source['value']))) {
          context.report({ node, message });
        }
      },
    };
  },
};

const children: Rule = {
  create(context) {
    return {
      ImportDeclaration(node: Node & { source: Node; specifiers: Array<Node & { imported?: Node }> }) {
        if (!/^(node:)?child_process$/.test(String(node.source['value']))) return;
        for (const one of node.specifiers) {
          if (one.type !== 'ImportSpecifier') {
            context.report({ node, message: 'Import from child_process by name, so that it is seen what runs.' });
          } else if (isName(one.imported, 'exec', 'execSync')) {
            context.report({ node, message: 'exec runs a shell: use execFile or spawn with a fixed argv.' });
          }
        }
      },
      Property(node: Node & { key: Node; value: Node }) {
        const key = node.key.type === 'Literal' ? node.key['value'] : node.key['name'];
        const { value } = node;
        if (key !== 'shell' || value.type !== 'Literal') return;
        if (value['value'] === true || /^\/|sh$/.test(String(value['value']))) {
          context.report({ node, message: 'Children run without a shell.' });
        }
      },
    };
  },
};

export default { meta: { name: 'opsroom' }, rules: { arrows, environment, clock, children } };
