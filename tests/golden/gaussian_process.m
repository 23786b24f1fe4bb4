function f = gaussian_process()
  % y = y' (K + s I)^-1 y/2 + (ln det(K + s I))/2 and its derivative by K.
  %
  % derivative: (K + s I)^-1 (I - y y' (K + s I)^-1)/2
  %
  % y: vector, shape (n, 1)
  % K: invertible spd symmetric matrix, shape (n, n)
  % s: nonzero positive number
  %
  % f = gaussian_process(); [y, D] = f.value_and_derivative('y', y, 'K', K, 's', s)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y1 = value(varargin)
  % The value.
  [y, K, s, n] = checked_(varargin);
  M1 = K;
  M1(1:n + 1:end) = M1(1:n + 1:end) + s;
  factor1 = chol(M1, 'lower');
  y1 = 0.5 * (y' * (factor1' \ (factor1 \ y))) + 0.5 * (2 * sum(log(diag(factor1))));
end

function D = derivative(varargin)
  % The derivative by K.
  [y, K, s, n] = checked_(varargin);
  M1 = K;
  M1(1:n + 1:end) = M1(1:n + 1:end) + s;
  factor1 = chol(M1, 'lower');
  v1 = factor1' \ (factor1 \ y);
  D = 0.5 * (factor1' \ (factor1 \ eye(n)) - v1 * v1');
end

function [y1, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [y, K, s, n] = checked_(varargin);
  M1 = K;
  M1(1:n + 1:end) = M1(1:n + 1:end) + s;
  factor1 = chol(M1, 'lower');
  v1 = factor1' \ (factor1 \ y);
  y1 = 0.5 * (y' * v1) + 0.5 * (2 * sum(log(diag(factor1))));
  D = 0.5 * (factor1' \ (factor1 \ eye(n)) - v1 * v1');
end

function [y, K, s, n] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [y, K, s] = arguments_({'y', 'K', 's'}, given);
  n = size(y, 1);
  expect_('y', y, [n, 1], '(n, 1)');
  expect_('K', K, [n, n], '(n, n)');
  expect_('s', s, [1, 1], '(1, 1)');
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
