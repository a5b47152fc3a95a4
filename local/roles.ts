import type { PolicyDocument } from './door/policy';

/** The roles of the template with their identity policies, kept current at the door. */
export class Roles {
  readonly #documents = new Map<string, PolicyDocument[]>();

  constructor(private readonly register: (roleName: string, documents: readonly PolicyDocument[]) => void) {}

  declare(roleName: string): void {
    this.#documents.set(roleName, []);
    this.register(roleName, []);
  }

  attach(roleName: string, document: PolicyDocument): void {
    const documents = this.policiesOf(roleName);
    documents.push(document);
    this.register(roleName, documents);
  }

  policiesOf(roleName: string): PolicyDocument[] {
    const documents = this.#documents.get(roleName);
    if (documents === undefined) throw new Error(`role '${roleName}' is not in the template`);
    return documents;
  }
}
