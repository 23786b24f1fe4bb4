function f = ridge_hessian()
  % y = norm2(A x - b)^2 + c norm2(x)^2 and its derivative by x.
  %
  % derivative: 2 (A' A + c I)
  %
  % A: matrix, shape (m, n)
  % x: vector, shape (n, 1)
  % b: vector, shape (m, 1)
  % c: nonzero positive number
  % v (of hvp): a direction, of the shape of x
  %
  % f = ridge_hessian(); [y, D] = f.value_and_derivative('A', A, 'x', x, 'b', b, 'c', c)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
  f.hvp = @hvp;
end

function y = value(varargin)
  % The value.
  [A, x, b, c] = checked_(varargin);
  v1 = A * x - b;
  y = v1' * v1 + c * (x' * x);
end

function D = derivative(varargin)
  % The derivative of order 2 by x.
  [A, ~, ~, c, ~, n] = checked_(varargin);
  M1 = A' * A;
  M1(1:n + 1:end) = M1(1:n + 1:end) + c;
  D = 2 * M1;
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [A, x, b, c, ~, n] = checked_(varargin);
  v1 = A * x - b;
  M1 = A' * A;
  M1(1:n + 1:end) = M1(1:n + 1:end) + c;
  y = v1' * v1 + c * (x' * x);
  D = 2 * M1;
end

function D = hvp(v, varargin)
  % The second derivative times a direction v of x's shape.
  [A, x, ~, c] = checked_(varargin);
  expect_('v', v, size(x), 'of x');
  D = 2 * (A' * (A * v) + c * v);
end

function [A, x, b, c, m, n] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [A, x, b, c] = arguments_({'A', 'x', 'b', 'c'}, given);
  m = size(A, 1);
  n = size(A, 2);
  expect_('A', A, [m, n], '(m, n)');
  expect_('x', x, [n, 1], '(n, 1)');
  expect_('b', b, [m, 1], '(m, 1)');
  expect_('c', c, [1, 1], '(1, 1)');
end

function varargout = arguments_(names, given)
  % Keyword arguments, pairs of a name and a value, in the order of names. Whole numbers are made double.
  if mod(numel(given), 2) ~= 0 || ~all(cellfun(@(n) ischar(n) || isstring(n), given(1:2:end)))
    error('matgrad:arguments', 'the arguments are pairs of a name and a value, of %s', strjoin(names, ', '));
  end
  keys = cellfun(@char, given(1:2:end), 'UniformOutput', false);
  unknown = setdiff(keys, names);
  if ~isempty(unknown)
    error('matgrad:arguments', '%s is no argument; the arguments are %s', unknown{1}, strjoin(names, ', '));
  end
  for k = 1:numel(names)
    at = find(strcmp(names{k}, keys), 1, 'last');
    if isempty(at)
      error('matgrad:arguments', 'the argument %s is missing; the arguments are %s', names{k}, strjoin(names, ', '));
    end
    varargout{k} = number_(names{k}, given{2 * at});
  end
end

function value = number_(name, value)
  % A whole or logical value as double.
  if isnumeric(value) && ~isreal(value)
    error('matgrad:arguments', '%s should be real, not complex', name);
  end
  if isinteger(value) || islogical(value)
    value = double(value);
  end
end

function expect_(name, value, dims, meaning)
  % An error for a value of another shape.
  if ~isequal(size(value), dims)
    shown = @(d) strjoin(arrayfun(@num2str, d, 'UniformOutput', false), ', ');
    error('matgrad:shape', '%s should have the shape %s = (%s), not (%s)', name, meaning, shown(dims), shown(size(value)));
  end
end
