/**
 * Compiles src and test with a counter at every way the code of src can take: functions, both sides of a branch, loops, cases, the right side of `&&`, `||` and `??`.
 * So a fuzzer sees in plain memory, after each input, which ways were taken and about how often. Everything goes to .cache/fuzz, as modules that Node runs.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');
export const OUT = join(root, '.cache/fuzz');
const COUNT_FILE = join(OUT, 'counters');
/** Where the counters are while instrumented code runs. */
const COUNTERS = 'globalThis.ringlogFuzzCounters';
const LOCAL = '$counters';
/** Folders of test that targets need, none of them instrumented. */
const PLAIN = ['test/fuzz', 'test/golden', 'test/sim'];
/** Files beside them. */
const SUPPORT = ['test/support/java-batches.ts', 'test/support/coordinator-harness.ts'];
/** What they read beside code. */
const DATA = ['test/golden/vectors.jsonl', 'test/support/java-batches.json'];
/** Judged like src: it has the bug that only guidance finds. */
const PLANTED = 'test/fuzz/planted.ts';

const { factory: f } = ts;

function filesBelow(folder, ending) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending) && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/** A transformer that puts counters in; `next` gives each its number. */
function counting(next) {
  const count = () => f.createPostfixIncrement(f.createElementAccessExpression(f.createIdentifier(LOCAL), next()));
  const counted = (expression) => f.createParenthesizedExpression(f.createComma(count(), expression));
  const asBlock = (statement) =>
    ts.isBlock(statement)
      ? f.updateBlock(statement, [f.createExpressionStatement(count()), ...statement.statements])
      : f.createBlock([f.createExpressionStatement(count()), statement], true);
  const isShortCircuit = (kind) =>
    kind === ts.SyntaxKind.AmpersandAmpersandToken || kind === ts.SyntaxKind.BarBarToken || kind === ts.SyntaxKind.QuestionQuestionToken;

  return (context) => {
    const visit = (original) => {
      const node = ts.visitEachChild(original, visit, context);
      if (ts.isIfStatement(node))
        return f.updateIfStatement(node, node.expression, asBlock(node.thenStatement), asBlock(node.elseStatement ?? f.createBlock([])));
      if (ts.isForStatement(node))
        return f.updateForStatement(node, node.initializer, node.condition, node.incrementor, asBlock(node.statement));
      if (ts.isForOfStatement(node))
        return f.updateForOfStatement(node, node.awaitModifier, node.initializer, node.expression, asBlock(node.statement));
      if (ts.isForInStatement(node)) return f.updateForInStatement(node, node.initializer, node.expression, asBlock(node.statement));
      if (ts.isWhileStatement(node)) return f.updateWhileStatement(node, node.expression, asBlock(node.statement));
      if (ts.isCatchClause(node)) return f.updateCatchClause(node, node.variableDeclaration, asBlock(node.block));
      if (ts.isCaseClause(node))
        return f.updateCaseClause(node, node.expression, [f.createExpressionStatement(count()), ...node.statements]);
      if (ts.isDefaultClause(node)) return f.updateDefaultClause(node, [f.createExpressionStatement(count()), ...node.statements]);
      if (ts.isConditionalExpression(node))
        return f.updateConditionalExpression(
          node,
          node.condition,
          node.questionToken,
          counted(node.whenTrue),
          node.colonToken,
          counted(node.whenFalse),
        );
      if (ts.isBinaryExpression(node) && isShortCircuit(node.operatorToken.kind))
        return f.updateBinaryExpression(node, node.left, node.operatorToken, counted(node.right));
      if (ts.isFunctionDeclaration(node) && node.body)
        return f.updateFunctionDeclaration(
          node,
          node.modifiers,
          node.asteriskToken,
          node.name,
          node.typeParameters,
          node.parameters,
          node.type,
          asBlock(node.body),
        );
      if (ts.isMethodDeclaration(node) && node.body)
        return f.updateMethodDeclaration(
          node,
          node.modifiers,
          node.asteriskToken,
          node.name,
          node.questionToken,
          node.typeParameters,
          node.parameters,
          node.type,
          asBlock(node.body),
        );
      if (ts.isArrowFunction(node) && ts.isBlock(node.body))
        return f.updateArrowFunction(
          node,
          node.modifiers,
          node.typeParameters,
          node.parameters,
          node.type,
          node.equalsGreaterThanToken,
          asBlock(node.body),
        );
      return node;
    };
    return (file) => {
      const visited = ts.visitNode(file, visit);
      const local = f.createVariableDeclaration(LOCAL, undefined, undefined, f.createIdentifier(COUNTERS));
      return f.updateSourceFile(visited, [
        f.createVariableStatement(undefined, f.createVariableDeclarationList([local], ts.NodeFlags.Const)),
        ...visited.statements,
      ]);
    };
  };
}

/** Compiles everything. Returns how many counters there are. */
export function instrument() {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    rewriteRelativeImportExtensions: true,
    verbatimModuleSyntax: true,
  };
  let counters = 0;
  const next = () => counters++;
  rmSync(join(OUT, 'src'), { recursive: true, force: true });
  rmSync(join(OUT, 'test'), { recursive: true, force: true });
  const compile = (file, isCounted) => {
    const { outputText } = ts.transpileModule(readFileSync(join(root, file), 'utf8'), {
      fileName: file,
      compilerOptions,
      ...(isCounted ? { transformers: { before: [counting(next)] } } : {}),
    });
    const out = join(OUT, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, outputText);
  };
  for (const file of filesBelow('src', '.ts')) compile(file, true);
  for (const folder of PLAIN) for (const file of filesBelow(folder, '.ts')) compile(file, file === PLANTED);
  for (const file of SUPPORT) compile(file, false);
  for (const data of DATA) cpSync(join(root, data), join(OUT, data));
  writeFileSync(COUNT_FILE, String(counters));
  return counters;
}

/** The same of what was compiled last. */
export function builtCounters() {
  return Number(readFileSync(COUNT_FILE, 'utf8'));
}
