import { acknowledgements } from '../../lib/acknowledgements';
import { findingsOf } from './findings';
import { type Export, exportsOf, referencesIn, type Statement, statementsOf, written } from './references';
import { nameOf, ofType, type SynthesizedStage, stages, synthesizedStage } from './synthesized';

/** The statements of roles: what each may do. */
const permissionsOf = (synthesized: SynthesizedStage) =>
  statementsOf(synthesized).filter(({ principal }) => principal === undefined);
const targetsOf = ({ resources, stack }: Statement, synthesized: SynthesizedStage) =>
  resources.flatMap((resource) => referencesIn(resource, stack, synthesized));

describe('the vault', () => {
  test.each(stages)("of %s is nobody's but the two stacks' that may see card numbers", (name) => {
    const synthesized = synthesizedStage(name);
    const vault = ofType(synthesized, 'AWS::DynamoDB::GlobalTable', 'AWS::KMS::Key')
      .filter(({ stack }) => stack === 'TokenVault')
      .map(nameOf);
    const holders = permissionsOf(synthesized).filter((statement) =>
      targetsOf(statement, synthesized).some((target) => vault.includes(target)),
    );

    expect(vault).toHaveLength(4);
    expect([...new Set(holders.map(({ of }) => of.replace(/DefaultPolicy[0-9A-F]{8}$/, '')))].sort()).toEqual([
      'Cardholder/IngestRole',
      'TokenVault/CreateKeysetRole',
      'TokenVault/DetokenizeRole',
      'TokenVault/RotateIndexKeyRole',
    ]);
  });

  test.each(stages)('of %s is reached by no statement that names no table or key', (name) => {
    const synthesized = synthesizedStage(name);
    const vague = permissionsOf(synthesized).filter(
      ({ actions, resources, stack }) =>
        actions.some((action) => /^(dynamodb|kms):/.test(action)) &&
        resources.some((resource) => referencesIn(resource, stack, synthesized).length === 0),
    );

    expect(vague.map(({ of, actions }) => [of, actions])).toEqual([]);
  });

  test('and the door give the rest the tokenized stream, and names for the alarms', () => {
    const prod = synthesizedStage('prod');
    const takersOf = ({ name }: Export) =>
      prod.resources.filter((resource) => JSON.stringify(resource).includes(`"${name}"`)).map(({ stack }) => stack);
    const given = exportsOf(prod)
      .filter(({ stack }) => stack === 'TokenVault' || stack === 'Cardholder')
      .flatMap((exported) => {
        const [what] = referencesIn(exported.value, exported.stack, prod) as [string];
        const how = 'Ref' in (exported.value as object) ? 'name' : 'ARN';
        const takers = [...new Set(takersOf(exported))];
        return (takers.length > 0 ? takers : ['nobody']).map(
          (taker) => `${what.replace(/[0-9A-F]{8}$/, '')} ${how} -> ${taker}`,
        );
      });

    expect(given.filter((line) => !line.startsWith('TokenVault') || !line.endsWith('Cardholder')).sort()).toEqual([
      'Cardholder/CompleteThroughFunction name -> Watch',
      'Cardholder/EncryptionKey ARN -> Refine',
      'Cardholder/IngestFunction name -> Watch',
      'Cardholder/SalesIngest ARN -> Refine',
      // Refine reads it, and writes beats into it.
      'Cardholder/SalesIngest name -> Refine',
      'Cardholder/SalesIngest name -> Watch',
      'TokenVault/DetokenizeFunction name -> Watch',
      'TokenVault/Vault name -> Watch',
    ]);
    // Watch has no role: a name lets it count, and nothing else.
    expect(permissionsOf(prod).filter(({ stack }) => stack === 'Watch')).toEqual([]);
  });
});

describe('permissions', () => {
  test.each(stages)('in %s none is for all actions of a kind', (name) => {
    const wild = statementsOf(synthesizedStage(name))
      .filter(({ effect, actions }) => effect === 'Allow' && actions.some((action) => action.includes('*')))
      .filter(
        ({ of }) =>
          !(
            name === 'dev' && /BucketPolicy|HeldPolicy|ManifestsPolicy|FilesPolicy|ResultsPolicy|ReportsPolicy/.test(of)
          ),
      )
      .map(({ actions, principal }) => [actions, principal]);

    // Each key trusts its account; who in the account may use it is said by the roles.
    const account = { AWS: { 'Fn::Join': ['', ['arn:aws:iam::', { Ref: 'AWS::AccountId' }, ':root']] } };
    expect(wild).toHaveLength(ofType(synthesizedStage(name), 'AWS::KMS::Key').length);
    for (const each of wild) expect(each).toEqual([['kms:*'], account]);
  });

  test.each(stages)('in %s those on more than one named resource are acknowledged, each by itself', (name) => {
    const synthesized = synthesizedStage(name);
    const known = acknowledgements(synthesized.stage).flatMap(({ finding, at }) =>
      at.map((path) => `${path.split('/')[0]}: ${finding}`),
    );
    const wild = permissionsOf(synthesized)
      .flatMap(({ stack, resources }) => resources.map((resource) => ({ stack, resource: written(resource) })))
      .filter(({ resource }) => resource.includes('*'))
      .map(({ stack, resource }) => `${stack}: AwsSolutions::AwsSolutions-IAM5[Resource::${resource}]`);

    expect(wild.length).toBeGreaterThan(20);
    expect(wild.filter((each) => !known.includes(each))).toEqual([]);
  });

  test.each(stages)('in %s those on everything are for what has no name', (name) => {
    const everything = permissionsOf(synthesizedStage(name)).filter(({ resources }) => resources.includes('*'));

    expect([...new Set(everything.flatMap(({ actions }) => actions))].sort()).toEqual([
      // A list of all replications.
      'dms:DescribeReplications',
      'ec2:AssignPrivateIpAddresses',
      'ec2:CreateNetworkInterface',
      'ec2:DeleteNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:UnassignPrivateIpAddresses',
      'redshift-data:DescribeStatement',
      'redshift-data:GetStatementResult',
    ]);
  });

  test.each(stages)('in %s a key is used on behalf of a service, or for the purpose that it has', (name) => {
    const free = permissionsOf(synthesizedStage(name)).filter(
      ({ actions, condition }) =>
        actions.some((action) => action.startsWith('kms:')) &&
        !/kms:ViaService|kms:EncryptionContext:purpose/.test(JSON.stringify(condition ?? {})),
    );

    expect(free.map(({ of, actions }) => [of, actions])).toEqual([]);
  });

  test("are written by hand: no role has a policy of AWS, but the two that are DMS's own", () => {
    for (const name of ['local', 'prod'] as const)
      expect(
        ofType(synthesizedStage(name), 'AWS::IAM::Role')
          .filter(({ Properties }) => Properties.ManagedPolicyArns !== undefined)
          .map(({ stack, Properties }) => `${stack}/${Properties.RoleName}`)
          .sort(),
        // The account's, for every DMS in it; what they need is AWS's to say.
      ).toEqual(['Cdc/dms-cloudwatch-logs-role', 'Cdc/dms-vpc-role']);
  });

  test.each(stages)('in %s no resource opens itself to more than a service, and few to that', (name) => {
    const synthesized = synthesizedStage(name);
    const typeOf = (of: string) => synthesized.resources.find((resource) => nameOf(resource) === of)!.Type;
    const [trusts, opens] = [true, false].map((trust) =>
      statementsOf(synthesized).filter(
        ({ effect, principal, actions }) =>
          effect === 'Allow' && principal !== undefined && actions.includes('sts:AssumeRole') === trust,
      ),
    ) as [Statement[], Statement[]];

    for (const { of, principal } of trusts) expect([of, Object.keys(principal as object)]).toEqual([of, ['Service']]);
    expect([...new Set(opens.map(({ of }) => typeOf(of)))].sort()).toEqual([
      'AWS::KMS::Key',
      // For the function of CDK's own that empties them.
      ...(name === 'dev' ? ['AWS::S3::BucketPolicy'] : []),
      'AWS::SNS::TopicPolicy',
    ]);
    for (const { of, principal, condition } of opens)
      if (Object.keys(principal as object).includes('Service')) expect([of, condition]).not.toEqual([of, undefined]);
    for (const { Properties } of ofType(synthesized, 'AWS::Lambda::Permission'))
      expect(Properties).toMatchObject({
        Principal: expect.stringMatching(/^(apigateway|events)\.amazonaws\.com$/),
        SourceArn: expect.anything(),
      });
  });
});

describe('findings', () => {
  test.each(stages)('of cdk-nag in %s are those that we acknowledge, no more and no fewer', (name) => {
    const { found, unacknowledged, withoutCause } = findingsOf(synthesizedStage(name));

    expect(found).toBeGreaterThan(30);
    expect(unacknowledged).toEqual([]);
    expect(withoutCause).toEqual([]);
  });

  test('are acknowledged with a reason each, in a sentence', () => {
    for (const { reason } of acknowledgements(synthesizedStage('prod').stage)) expect(reason).toMatch(/^\S.{40,}\w$/);
  });
});
