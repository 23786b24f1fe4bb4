function f = matrix_jacobian()
  % y = A X B and its derivative by X.
  %
  % derivative: kron(B', A)
  %
  % A: matrix, shape (m, n)
  % X: matrix, shape (n, p)
  % B: matrix, shape (p, k)
  %
  % f = matrix_jacobian(); [y, D] = f.value_and_derivative('A', A, 'X', X, 'B', B)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [A, X, B] = checked_(varargin);
  y = A * (X * B);
end

function D = derivative(varargin)
  % The derivative by X.
  [A, ~, B, m, n, p, k] = checked_(varargin);
  D = reshape(A, m, 1, n, 1) .* reshape(B', 1, k, 1, p);
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [A, X, B, m, n, p, k] = checked_(varargin);
  y = A * (X * B);
  D = reshape(A, m, 1, n, 1) .* reshape(B', 1, k, 1, p);
end

function [A, X, B, m, n, p, k] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [A, X, B] = arguments_({'A', 'X', 'B'}, given);
  m = size(A, 1);
  n = size(A, 2);
  p = size(X, 2);
  k = size(B, 2);
  expect_('A', A, [m, n], '(m, n)');
  expect_('X', X, [n, p], '(n, p)');
  expect_('B', B, [p, k], '(p, k)');
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
