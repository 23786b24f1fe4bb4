function f = logdet_form()
  % y = ln det(X' A X) and its derivative by X.
  %
  % derivative: 2 A X (X' A X)^-1
  %
  % X: matrix, shape (m, n)
  % A: invertible spd symmetric matrix, shape (m, m)
  %
  % f = logdet_form(); [y, D] = f.value_and_derivative('X', X, 'A', A)
  % Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.
  % Written by matgrad 0.1.0.
  f.value = @value;
  f.derivative = @derivative;
  f.value_and_derivative = @value_and_derivative;
end

function y = value(varargin)
  % The value.
  [X, A] = checked_(varargin);
  factor1 = chol(X' * (A * X), 'lower');
  y = 2 * sum(log(diag(factor1)));
end

function D = derivative(varargin)
  % The derivative by X.
  [X, A] = checked_(varargin);
  M1 = A * X;
  factor1 = chol(X' * M1, 'lower');
  D = 2 * (factor1' \ (factor1 \ M1'))';
end

function [y, D] = value_and_derivative(varargin)
  % Both, with shared work.
  [X, A] = checked_(varargin);
  M1 = A * X;
  factor1 = chol(X' * M1, 'lower');
  y = 2 * sum(log(diag(factor1)));
  D = 2 * (factor1' \ (factor1 \ M1'))';
end

function [X, A, m, n] = checked_(given)
  % The arguments by their names, checked, and the sizes that they show.
  [X, A] = arguments_({'X', 'A'}, given);
  m = size(X, 1);
  n = size(X, 2);
  expect_('X', X, [m, n], '(m, n)');
  expect_('A', A, [m, m], '(m, m)');
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
