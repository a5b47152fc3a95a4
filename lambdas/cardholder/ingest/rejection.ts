/** Bad data, as a value. The message names field, what was got and what is allowed, and never holds card data. */
export class Rejection {
  constructor(
    readonly code: 'invalid' | 'looks-like-card-number' | 'too-large' | 'too-old' | 'too-far-ahead',
    readonly message: string,
  ) {}

  static of(field: string, got: string, allowed: string): Rejection {
    return new Rejection('invalid', `${field}: got ${got}, allowed: ${allowed}`);
  }
}
