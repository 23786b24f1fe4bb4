function f = finite_sum()
  % y = sum(k=1:n, x[k]^k) and its derivative by x.
  %
  % derivative: sum(k=1:n, k x[k]^(k - 1) e_k)
  %
  % x: vector, shape (n, 1)
  %
  % f = finite_sum(); [y, D] = f.value_and_derivative('x', x)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [x, n] = checked_(varargin);
  c2 = 0;
  for k = 1:n
    c1 = x(k) ^ k;
    c2 = c2 + c1;
  end
  y = c2;
end

function D = derivative(varargin)
  % The derivative by x.
  [x, n] = checked_(varargin);
  v2 = zeros(n, 1);
  for k = 1:n
    v1 = k * x(k) ^ (k - 1) * double((1:n)' == k);
    v2 = v2 + v1;
  end
  D = v2;
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [x, n] = checked_(varargin);
  c2 = 0;
  for k = 1:n
    c1 = x(k) ^ k;
    c2 = c2 + c1;
  end
  v2 = zeros(n, 1);
  for k1 = 1:n
    v1 = k1 * x(k1) ^ (k1 - 1) * double((1:n)' == k1);
    v2 = v2 + v1;
  end
  y = c2;
  D = v2;
end

function [x, n] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  x = arguments_({'x'}, given);
  n = size(x, 1);
  expect_('x', x, [n, 1], '(n, 1)');
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
