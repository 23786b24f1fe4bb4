function f = kernel_sum()
  % y = sum(exp(-g (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X'))) and its derivative by X.
  %
  % derivative: 4 g (exp(-g (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X')) - diag(exp(-g
  %     (diag(X X') ones(n)' + ones(n) diag(X X')' - 2 X X')) ones(n))) X
  %
  % g: nonzero positive number
  % X: matrix, shape (n, d)
  %
  % f = kernel_sum(); [y, D] = f.value_and_derivative('g', g, 'X', X)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [g, X] = checked_(varargin);
  v1 = sum(X .* X, 2);
  y = sum(sum(exp(g * (2 * (X * X') - v1 - v1'))));
end

function D = derivative(varargin)
  % The derivative by X.
  [g, X] = checked_(varargin);
  v1 = sum(X .* X, 2);
  M1 = exp(g * (2 * (X * X') - v1 - v1'));
  D = 4 * g * (M1 * X - sum(M1, 2) .* X);
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [g, X] = checked_(varargin);
  v1 = sum(X .* X, 2);
  M1 = exp(g * (2 * (X * X') - v1 - v1'));
  y = sum(sum(M1));
  D = 4 * g * (M1 * X - sum(M1, 2) .* X);
end

function [g, X, n, d] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [g, X] = arguments_({'g', 'X'}, given);
  n = size(X, 1);
  d = size(X, 2);
  expect_('g', g, [1, 1], '(1, 1)');
  expect_('X', X, [n, d], '(n, d)');
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
