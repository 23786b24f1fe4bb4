function f = least_squares()
  % y = norm2(A x - b)^2 and its derivative by x.
  %
  % derivative: 2 A' (A x - b)
  %
  % A: matrix, shape (m, n)
  % x: vector, shape (n, 1)
  % b: vector, shape (m, 1)
  %
  % f = least_squares(); [y, D] = f.value_and_derivative('A', A, 'x', x, 'b', b)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [A, x, b] = checked_(varargin);
  v1 = A * x - b;
  y = v1' * v1;
end

function D = derivative(varargin)
  % The derivative by x.
  [A, x, b] = checked_(varargin);
  D = 2 * (A' * (A * x - b));
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [A, x, b] = checked_(varargin);
  v1 = A * x - b;
  y = v1' * v1;
  D = 2 * (A' * v1);
end

function [A, x, b, m, n] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [A, x, b] = arguments_({'A', 'x', 'b'}, given);
  m = size(A, 1);
  n = size(A, 2);
  expect_('A', A, [m, n], '(m, n)');
  expect_('x', x, [n, 1], '(n, 1)');
  expect_('b', b, [m, 1], '(m, 1)');
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
