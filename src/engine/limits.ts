/** Least temperature above 0. Logits divided by a smaller one leave no probability but 0 and 1, and overflow in the end. */
export const LEAST_TEMPERATURE = 1e-6
