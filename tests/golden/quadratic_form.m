function f = quadratic_form()
  % y = x' A x and its derivative by x.
  %
  % derivative: (A + A') x
  %
  % x: vector, shape (n, 1)
  % A: matrix, shape (n, n)
  %
  % f = quadratic_form(); [y, D] = f.value_and_derivative('x', x, 'A', A)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [x, A] = checked_(varargin);
  y = x' * (A * x);
end

function D = derivative(varargin)
  % The derivative by x.
  [x, A] = checked_(varargin);
  D = A * x + A' * x;
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [x, A] = checked_(varargin);
  v1 = A * x;
  y = x' * v1;
  D = v1 + A' * x;
end

function [x, A, n] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [x, A] = arguments_({'x', 'A'}, given);
  n = size(x, 1);
  expect_('x', x, [n, 1], '(n, 1)');
  expect_('A', A, [n, n], '(n, n)');
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
