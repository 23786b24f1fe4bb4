function f = kronecker()
  % y = norm2(kron(A, B) vec(X))^2 and its derivative by X.
  %
  % derivative: 2 B' B X A' A
  %
  % A: matrix, shape (p, n)
  % B: matrix, shape (q, m)
  % X: matrix, shape (m, n)
  %
  % f = kronecker(); [y, D] = f.value_and_derivative('A', A, 'B', B, 'X', X)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [A, B, X] = checked_(varargin);
  v1 = reshape((A * (B * X)')', [], 1);
  y = v1' * v1;
end

function D = derivative(varargin)
  % The derivative by X.
  [A, B, X] = checked_(varargin);
  D = 2 * (B' * (B * (X * (A' * A))));
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [A, B, X] = checked_(varargin);
  v1 = reshape((A * (B * X)')', [], 1);
  y = v1' * v1;
  D = 2 * (B' * (B * (X * (A' * A))));
end

function [A, B, X, p, n, q, m] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [A, B, X] = arguments_({'A', 'B', 'X'}, given);
  p = size(A, 1);
  n = size(A, 2);
  q = size(B, 1);
  m = size(B, 2);
  expect_('A', A, [p, n], '(p, n)');
  expect_('B', B, [q, m], '(q, m)');
  expect_('X', X, [m, n], '(m, n)');
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
