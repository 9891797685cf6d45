"""What the planted rules go wrong on: graphs as ONNX text."""

NUMBERS = """agraph (float[3, 3] x) => (float[3, 3] y) <float[3] two = {2, 2, 2}> {
    lo = Constant <value = float {0.0}> ()
    six = Constant <value = float {6.0}> ()
    one = Constant <value = float {1.0}> ()
    i = Identity (x)
    a = Clip (i, lo, six)
    b = Clip (a, lo, one)
    c = Pow (b, two)
    d = Exp (c)
    e = Reciprocal (d)
    f = Mul (i, e)
    g = Cos (f)
    h = Mul (g, two)
    y = Tanh (h)
}"""

IMAGE = """agraph (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y) <
    float[2, 2, 1, 1] w = {1, 2, 3, 4}, float[2] b = {1, -1}, float[2] s = {2, 3},
    float[2] t = {1, 1}, float[2] m = {0.5, 0}, float[2] v = {1, 2},
    float[2, 1, 1] k = {0.5, 1.5}
> {
    i = Identity (x)
    c = Conv (i, w, b)
    n = BatchNormalization (c, s, t, m, v)
    r = Relu (n)
    d = Conv (r, w)
    e = Add (d, k)
    y = Sigmoid (e)
}"""

MATRICES = """agraph (float[3, 3] x) => (float[3, 3] y) <
    float[3, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9}, float[3] b = {1, 2, 3}
> {
    i = Identity (x)
    p = MatMul (i, w)
    q = Add (p, b)
    r = Tanh (q)
    t = Transpose <perm = [1, 0]> (x)
    u = Sin (r)
    v = MatMul (u, t)
    y = Cos (v)
}"""

MOVED = """agraph (float[2, 2, 2] x, float[2, 4] z) => (float[2, 2, 2] y, float[2, 2] w) {
    i = Identity (x)
    a = Transpose <perm = [1, 2, 0]> (i)
    b = Transpose <perm = [0, 2, 1]> (a)
    y = Tanh (b)
    n = Relu (z)
    zero = Constant <value = int64[1] {0}> ()
    mid = Constant <value = int64[1] {2}> ()
    end = Constant <value = int64[1] {4}> ()
    axis = Constant <value = int64[1] {1}> ()
    l = Slice (n, zero, mid, axis)
    r = Slice (n, mid, end, axis)
    e = Exp (l)
    f = Sub (e, r)
    g = Transpose (f)
    w = Sigmoid (g)
}"""

IDIOMS = """agraph (float[4, 4] x) => (float[4, 4] y, float[4] z) {
    i = Identity (x)
    root = Constant <value = float {1.4142135}> ()
    one = Constant <value = float {1.0}> ()
    half = Constant <value = float {0.5}> ()
    a = Div (i, root)
    b = Erf (a)
    c = Add (b, one)
    d = Mul (i, c)
    gelu = Mul (d, half)
    top = Exp (gelu)
    axes = Constant <value = int64[1] {-1}> ()
    sum = ReduceSum (top, axes)
    soft = Div (top, sum)
    e = Exp (soft)
    f = Add (e, one)
    plus = Log (f)
    y = Neg (plus)
    s = Mul (plus, plus)
    t = ReduceSum <keepdims = 0> (s, axes)
    z = Sqrt (t)
}"""

NORMALIZED = """agraph (float[2, 4] x) => (float[2, 4] y) <
    float[4] scale = {1, 2, 3, 4}, float[4] bias = {1, 0, 1, 0}
> {
    two = Constant <value = float {2.0}> ()
    tiny = Constant <value = float {0.00001}> ()
    i = Identity (x)
    mean = ReduceMean <axes = [-1]> (i)
    c = Sub (i, mean)
    p = Pow (c, two)
    variance = ReduceMean <axes = [-1]> (p)
    e = Add (variance, tiny)
    d = Sqrt (e)
    n = Div (c, d)
    s = Mul (n, scale)
    t = Add (s, bias)
    y = Sigmoid (t)
}"""

ALIKE = """agraph (float[3] x) => (float[3] y) <
    float[3] p = {1, 2, 3}, float[3] q = {3, 1, 2}, float[3] r = {1, 2, 3}
> {
    i = Identity (x)
    a = LeakyRelu <alpha = 0.1> (i)
    b = LeakyRelu <alpha = 0.2> (i)
    c = Sub (a, p)
    d = Sub (b, q)
    e = Mul (c, d)
    f = Neg (r)
    g = Atan (e)
    y = Add (g, f)
}"""

CONTROL = """agraph (float[3] x) => (float[3] y) {
    yes = Constant <value = bool {1}> ()
    times = Constant <value = int64 {3}> ()
    i = Identity (x)
    a = If (yes) <
        then_branch = yes_branch () => (float[3] p) { p = Sin (i) },
        else_branch = no_branch () => (float[3] q) { q = Cos (i) }
    >
    b = Tanh (a)
    c = Loop (times, yes, b) <
        body = round (int64 n, bool more, float[3] s) => (bool again, float[3] t) {
            again = Identity (more)
            t = Softsign (s)
        }
    >
    y = Neg (c)
}"""

SIZES = """agraph (float[N, 4] x) => (float[N, 4] y) {
    one = Constant <value = int64 {1}> ()
    i = Identity (x)
    s = Shape (i)
    n = Gather (s, one)
    f = Cast <to = 1> (n)
    r = Sqrt (f)
    d = Div (i, r)
    y = Tanh (d)
}"""

CODES = """agraph (uint8[4] x) => (float[4] y) {
    s = Constant <value = float {0.5}> ()
    t = Constant <value = float {0.25}> ()
    z = Constant <value = uint8 {3}> ()
    i = Identity (x)
    a = DequantizeLinear (i, s, z)
    q = QuantizeLinear (a, t, z)
    d = DequantizeLinear (q, t, z)
    y = Neg (d)
}"""

OLD = """agraph (float[2, 3, 4] x) => (float[2, 3, 4] y) {
    i = Identity (x)
    a = Softmax <axis = 1> (i)
    y = Tanh (a)
}"""
