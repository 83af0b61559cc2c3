/** Relative error of one rounded operation on doubles. */
export const ROUNDING = 2 ** -53;
/** Neither a merge of two features, nor a term of the bounds, nor a weight takes so many rounded operations. */
export const OPERATIONS = 16;
