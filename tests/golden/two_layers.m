function f = two_layers()
  % y = norm2(W tanh(V x) - y)^2 and its derivative by V.
  %
  % derivative: 2 ((W' (W tanh(V x) - y)) .* (1 - tanh(V x).^2)) x'
  %
  % W: matrix, shape (m, n)
  % V: matrix, shape (n, p)
  % x: vector, shape (p, 1)
  % y: vector, shape (m, 1)
  %
  % f = two_layers(); [y, D] = f.value_and_derivative('W', W, 'V', V, 'x', x, 'y', y)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y1 = value(varargin)
  % The value.
  [W, V, x, y] = checked_(varargin);
  v1 = W * tanh(V * x) - y;
  y1 = v1' * v1;
end

function D = derivative(varargin)
  % The derivative by V.
  [W, V, x, y] = checked_(varargin);
  v1 = tanh(V * x);
  D = W' * (W * v1 - y) .* (1 - v1 .^ 2) * (2 * x)';
end

function [y1, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [W, V, x, y] = checked_(varargin);
  v1 = tanh(V * x);
  v2 = W * v1 - y;
  y1 = v2' * v2;
  D = W' * v2 .* (1 - v1 .^ 2) * (2 * x)';
end

function [W, V, x, y, m, n, p] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [W, V, x, y] = arguments_({'W', 'V', 'x', 'y'}, given);
  m = size(W, 1);
  n = size(W, 2);
  p = size(V, 2);
  expect_('W', W, [m, n], '(m, n)');
  expect_('V', V, [n, p], '(n, p)');
  expect_('x', x, [p, 1], '(p, 1)');
  expect_('y', y, [m, 1], '(m, 1)');
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
